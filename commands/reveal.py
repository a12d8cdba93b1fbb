"""`balansity reveal`: show what is kept from view, to a person who says why."""

from functools import partial
from getpass import getuser
from typing import Any

import click

from broker import broker
from commands.acting import decision
from commands.ids import find_id
from commands.output import show_json
from db import queries
from db.connection import Connection
from db.database import transaction
from desk.decision import record


@click.command()
@click.argument("id_")
@click.option("--reason", required=True, help="Why you must see it; it is kept with your name.")
def reveal(*, id_: str, reason: str) -> None:
    """Show what the message, or the delivery, says whose id begins with ID: decrypted, with its recipient.

    Who was shown it, when and why stays in dramatiq.revelation.
    """
    with transaction() as conn:
        finders = (partial(each.ids, conn) for each in (queries.deliveries, queries.messages))
        id_ = find_id(id_, "message or delivery", "balansity dead` or `balansity deliveries", *finders)
        said = _delivery(conn, id_) or broker.vault.opened(conn, id_)
        queries.messages.note_revelation(conn, id=id_, who=getuser(), reason=reason.strip())
        record(conn, decision(reason), "reveal", id_)
    show_json(said)  # not before it is noted


def _delivery(conn: Connection, delivery_id: str) -> dict[str, Any] | None:
    for row in queries.deliveries.matching(conn, name=delivery_id, count=1):
        attempts = queries.deliveries.attempts(conn, delivery_id=delivery_id)
        reported = queries.deliveries.events(conn, delivery_id=delivery_id)
        told: dict[str, Any] = row._asdict()
        return told | {"attempt": [each._asdict() for each in attempts], "event": [each._asdict() for each in reported]}
    return None
