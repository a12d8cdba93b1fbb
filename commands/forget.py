"""`balansity forget`: remove what is held about one person."""

import sys
from uuid import UUID

import click

from commands.output import json_option, show_json
from db import queries
from db.database import transaction
from gateways import report_storage
from gateways.mail import outbox


@click.command()
@click.argument("user_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def forget(user_id: UUID, *, yes: bool, as_json: bool) -> None:
    """Remove the reports, mail files, mail addresses and analytics links of the user USER_ID, and say what was removed.

    The counts of mails and events stay, without the person. The service's own rows (users, profiles, answers,
    payments) are the site's to remove; this works before and after that.

    Messages that are being worked on, and those about payments that are not settled, remain: then it exits with 1,
    and is to be called again. With --json nothing is asked.
    """
    if not yes and not as_json:
        click.confirm(f"Remove what is held about user {user_id}? It cannot be undone.", abort=True)
    removed, remaining = _remove(user_id)
    if as_json:
        show_json({"user_id": str(user_id), "removed": removed, "remaining": remaining})
    else:
        for what, count in removed.items():
            click.echo(f"{count:>6}  {what}")
        if remaining:
            click.echo(f"{remaining:>6}  messages that still run or wait to settle a payment: call again after that")
    sys.exit(remaining > 0)


def _remove(user_id: UUID) -> tuple[dict[str, int], int]:
    """How much was removed of what, and how many messages remain."""
    with transaction() as conn:
        queries.people.allow_minutes(conn)
        ids = [row.id for row in queries.people.ids(conn, user_id=str(user_id))]
        deliveries = [row.delivery_id for row in queries.people.deliveries(conn, user_id=str(user_id))]
        removed = {
            "reports": report_storage.remove_of_user(conn, user_id),
            "report files without a report": report_storage.remove_folders(ids),
            "mail files in the outbox folder": outbox.remove(deliveries),
        }
        found = list(queries.people.forget(conn, user_id=str(user_id)))
    return removed | {row.what: row.removed for row in found}, sum(row.remaining for row in found)
