"""`balansity restored`: the mails that may have left before the database was restored, and a person's decision."""

from datetime import datetime
from functools import partial
from typing import Any

import click

import settings
from commands.acting import asked_for, decision
from commands.output import counted, json_option, moment, say, say_rest, show_json, show_table, so_many
from db import clock, queries
from db.database import transaction
from desk.decision import record
from mail import restore

REMEDY = "Which had left? --ask    Send them, as far as they are still true: --resend    All had left: --close"


@click.command()
@click.option("--since", metavar="TIME", help="The database was restored to this time: hold what may have left since.")
@click.option("--ask", "decided", flag_value="ask", help="Ask SendGrid which it has: those are closed as sent.")
@click.option("--resend", "decided", flag_value="resend", help="Send all that is held, as far as it is still true.")
@click.option("--close", "decided", flag_value="close", help="All that is held had been sent before the restore.")
@click.option("--reason", help="With a decision: why; it is kept with your name.")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many held ones are shown.")
@json_option
def restored(since: str | None, decided: str | None, reason: str | None, limit: int, *, as_json: bool) -> None:
    """Show the mails that a restore holds, or decide about all of them.

    A restored dump and a copied database are noticed by themselves. A point-in-time restore looks like a failover: say
    so with --since, before the workers start. TIME is the one restored to, such as 2026-11-25T09:30, by the clinic's
    clocks unless it has a zone. Whatever was due by now and has not left as far as this database knows, waits or is
    running, is then held as `unknown` when its turn comes; what falls due later goes.

    The provider's events settle what it delivered. --ask needs SendGrid's add-on Email Activity History; an SMTP
    server's log has the Message-IDs, which begin with the ids shown here.
    """
    restore.look()
    if since is not None:
        noticed_at = restore.hold(_moment(since))
        say(f"What was due by {moment(noticed_at)} and has not left here is held: `balansity restored` shows it.")
    if decided:
        with transaction() as conn:
            record(conn, decision(asked_for(reason)), f"{decided} mails held after a restore")
    if decided == "resend":
        _resend()
    elif decided == "ask":
        _ask()
    elif decided == "close":
        say(f"{restore.close()} mails are taken as sent.")
    elif since is None:
        _show(limit, as_json=as_json)


def _moment(given: str) -> datetime:
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is no time such as 2026-11-25T09:30", param_hint="--since") from None
    at = at if at.tzinfo else at.replace(tzinfo=settings.current().time_zone)
    with transaction() as conn:
        if at > clock.now(conn):
            raise click.BadParameter(f"{given} is still to come", param_hint="--since")
    return at


def _ask() -> None:
    answers: list[bool] = []
    try:
        for _, known in restore.ask():
            answers.append(known)
    finally:
        say(f"{sum(answers)} of {len(answers)} had been sent; the provider does not know the others.")


def _resend() -> None:
    outcomes = list(restore.release())
    refused = [(name, why) for name, why in outcomes if why]
    say(f"{len(outcomes) - len(refused)} mails are on their way, unless their reason is gone.")
    for name, why in refused:
        say(f"{name} is not: {why}")


def _show(limit: int, *, as_json: bool) -> None:
    with transaction() as conn:
        restores = [row._asdict() for row in queries.deliveries.restores(conn)]
        held: list[dict[str, Any]] = [row._asdict() for row in queries.deliveries.held(conn, count=limit)]
        total = counted(held, limit, partial(queries.deliveries.count_held, conn))
    say_rest(len(held), total, "held mails")
    if as_json:
        show_json({"restores": restores, "held": held})
        return
    show_table("Restores that hold mails", restores)
    title = f"{so_many(len(held), total)} mails that are held" if held else "Mails that are held"
    show_table(title, held, least=("held_at", "planned_at", "template"))
    if held:
        say(REMEDY)
