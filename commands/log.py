"""`balansity log`: who of the staff did what, and why."""

from datetime import datetime

import click

from commands.output import MOST_COUNTED, json_option, say_rest, show_json, show_table, so_many
from commands.when import When
from db import queries
from db.database import transaction


@click.command()
@click.option("--since", type=When(), help="Since then: 2h (ago), or an ISO time.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
def log(*, since: datetime | None, limit: int, as_json: bool) -> None:
    """List what people did here, by the shell and on the pages, the newest first: `balansity log --since 12h`."""
    with transaction() as conn:
        rows = [row._asdict() for row in queries.operators.actions(conn, since=since, before=None, limit=limit)]
        total = queries.operators.count_actions(conn, since=since, most=MOST_COUNTED)
    if as_json:
        show_json({"actions": rows, "total": total})
        return
    for row in rows:
        del row["id"]
    show_table(f"{so_many(len(rows), total)} actions", rows, least=("count", "via"))
    say_rest(len(rows), total, "actions")
