"""`balansity forget`: remove what is held about one person."""

import sys
from uuid import UUID

import click

from commands.acting import decision
from commands.forgetting import PLACES, Forgetting
from commands.output import confirmed, json_option, progress, say, show_json, show_skipped
from db.database import transaction
from desk.decision import record


@click.command()
@click.argument("user_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--reason", default="asked to be forgotten", show_default=True, help="Why; name nobody.")
@json_option
def forget(user_id: UUID, *, yes: bool, reason: str, as_json: bool) -> None:
    """Remove the reports, mail files, mail addresses and analytics links of the user USER_ID, and say what was removed.

    The counts of mails and events stay, without the person. The service's own rows (users, profiles, answers,
    payments) are the site's to remove; this works before and after that.

    Messages that are being worked on, and those about payments that are not settled, remain: then it exits with 1,
    and is to be called again, as after an interruption. What cannot be removed is named. Without a terminal to ask in
    it wants --yes.
    """
    confirmed(f"Remove what is held about user {user_id}? It cannot be undone.", yes=yes)
    with transaction() as conn:
        record(conn, decision(reason), "forget a person")
    with progress("rows looked through") as told:
        done, remaining = Forgetting(user_id, told).run()
    removed = {place: done.counts[place] for place in PLACES}
    if as_json:
        skipped = [each.told() for each in done.skipped]
        show_json({"user_id": str(user_id), "removed": removed, "remaining": remaining, "skipped": skipped})
    else:
        for what, count in removed.items():
            say(f"{count:>6}  {what}")
        if remaining:
            say(f"{remaining:>6}  messages that still run or wait to settle a payment: call again after that")
        show_skipped(done.skipped)
    sys.exit(bool(remaining or done.skipped))
