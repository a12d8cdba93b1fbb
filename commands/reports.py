"""`balansity reports`: the reports that are kept, which mails brought them, and one of them once more."""

from datetime import datetime
from functools import partial

import click

from commands.acting import asked_for, decision
from commands.ids import find_id
from commands.output import MOST_COUNTED, counted, json_option, moment, say, say_rest, show_json, show_table, so_many
from commands.when import When
from db import queries
from db.connection import Connection
from db.database import transaction
from desk import sending


@click.command()
@click.argument("which", required=False)
@click.option("--again", metavar="ID", help="Mail this report once more, to the address that its family has now.")
@click.option("--made-anew", is_flag=True, help="With --again: made anew, of the answers as they are.")
@click.option("--reason", help="With --again: why; it is kept with your name.")
@click.option("--since", type=When(), help="Made since then: 2d (ago), or an ISO time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
def reports(  # noqa: PLR0913 - a parameter an option
    which: str | None,
    *,
    again: str | None,
    made_anew: bool,
    reason: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the reports that are kept, the newest first; WHICH, the first letters of its id, tells one with its mails.

    \b
      balansity reports --again 3f2b6c1e --reason "the father has a new address"
    """  # noqa: D301 - click reads the \b as "keep these lines"
    if which is not None and since:
        raise click.UsageError("Say WHICH, or --since when, not both.")
    with transaction() as conn:
        if again is not None:
            _mail_again(conn, again, reason, made_anew=made_anew)
        elif which is not None:
            _tell(conn, _found(conn, which), as_json=as_json)
        else:
            _list(conn, since, limit, as_json=as_json)


def _mail_again(conn: Connection, given: str, reason: str | None, *, made_anew: bool) -> None:
    report_id = _found(conn, given)
    sent = sending.report_again(conn, report_id, decision(asked_for(reason)), made_anew=made_anew)
    say(f"Report {report_id} is on its way again; `balansity deliveries {sent.delivery_id[:8]}` tells how it went.")


def _found(conn: Connection, given: str) -> str:
    return find_id(given, "report", "balansity reports", partial(queries.reports.ids, conn))


def _list(conn: Connection, since: datetime | None, limit: int, *, as_json: bool) -> None:
    rows = [row._asdict() for row in queries.reports.latest(conn, since=since, until=None, last=None, count=limit)]
    total = counted(rows, limit, partial(queries.reports.count_kept, conn, since=since, most=MOST_COUNTED))
    if as_json:
        show_json(rows)
    else:
        listed = [
            row
            | {"id": row["id"][:8], "assessment_id": row["assessment_id"][:8], "mail_id": (row["mail_id"] or "")[:8]}
            for row in rows
        ]
        title = f"{so_many(len(rows), total)} reports" if rows else "Reports"
        show_table(title, listed, least=("mail_id", "user_id", "size_bytes"))
    say_rest(len(rows), total, "reports")


def _tell(conn: Connection, report_id: str, *, as_json: bool) -> None:
    report = queries.reports.about(conn, id=report_id)._asdict()
    mails = [row._asdict() for row in queries.reports.mails_of(conn, id=report_id)]
    if as_json:
        show_json(report | {"mail": mails})
        return
    for name, value in report.items():
        say(f"{name:<15}  {moment(value) if name == 'created_at' else value or ''}".rstrip())
    show_table("Mails that brought it", mails, least=("decided_by",))
