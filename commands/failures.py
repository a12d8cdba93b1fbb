"""`balansity messages` and `balansity failures`: find messages, and see what fails and why."""

from typing import Any

import click

from commands.output import MOST_COUNTED, json_option, moment, say, show_json, show_table, so_many
from commands.selecting import chosen_filter, filter_options
from commands.when import When
from db.database import transaction
from desk import messages as desk
from desk.messages import Filter
from domain.slots import INSTANT


@click.command()
@click.option("--state", type=click.Choice(desk.STATES), help="Those in this state.")
@filter_options
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@json_option
def messages(*, limit: int, as_json: bool, **options: Any) -> None:
    """List messages, the last changed first: `balansity messages --state dead --since 12h --actor send_email`."""
    with transaction() as conn:
        wanted = chosen_filter(conn, **options)
        page = desk.look(conn, wanted, limit, MOST_COUNTED)
    if as_json:
        show_json({"total": page.total, "looked_back_to": page.horizon, "messages": page.rows})
        return
    shown = so_many(len(page.rows), page.total)
    show_table(f"{shown} messages", [_listed(row) for row in page.rows], least=["tries"])
    if page.horizon:
        before = (page.horizon + INSTANT).isoformat()  # others may have changed at the same time
        say(f"Looked back to {moment(page.horizon)}: --before {before} looks further back.")


@click.command()
@click.option("--queue", help="Of this queue.")
@click.option("--actor", help="Of this actor.")
@click.option("--since", type=When(), help="Failed since then: 12h (ago), or an ISO time.")
@json_option
def failures(*, as_json: bool, **which: Any) -> None:
    """What fails and why: dead letters and what is tried again, by actor and kind, the latest first.

    Sent back to work by kind: `balansity redrive --failure ID`.
    """
    with transaction() as conn:
        found = desk.failures(conn, Filter(**which))
    if as_json:
        show_json([vars(each) | {"id": each.fingerprint} for each in found])
        return
    for each in found:
        say(f"{each.fingerprint}  {each.messages:>6}  {each.state}, {each.actor}")
        say(f"    {each.kind}")
    say(f"{sum(each.messages for each in found)} messages in {len(found)} kinds of failure.")


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "changed": row["changed_at"],
        "state": row["state"],
        "actor": row["actor"],
        "id": row["id"][:8],
        "tries": row["attempt"],
        "failure": row["kind"],
    }
