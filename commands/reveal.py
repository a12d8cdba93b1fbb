"""`balansity reveal`: show what is kept from view, to a person who says why."""

from getpass import getuser
from typing import Any

import click

from broker import broker
from commands.output import message_id_of, show_json
from db import queries
from db.connection import Connection
from db.database import transaction


@click.command()
@click.argument("id_")
@click.option("--reason", required=True, help="Why you must see it; it is kept with your name.")
def reveal(*, id_: str, reason: str) -> None:
    """Show what the message, or the delivery, ID says: decrypted, with its recipient.

    A delivery's ID may be its beginning, as `balansity deliveries` shows it.

    Who was shown it, when and why stays in dramatiq.revelation.
    """
    if not reason.strip():
        raise click.UsageError("Give a reason.")
    with transaction() as conn:
        if said := _delivery(conn, id_):
            id_ = said["id"]
        else:
            said = broker.vault.opened(conn, id_ := message_id_of(id_))
        queries.messages.note_revelation(conn, id=id_, who=getuser(), reason=reason.strip())
    show_json(said)  # not before it is noted


def _delivery(conn: Connection, name: str) -> dict[str, Any] | None:
    found = list(queries.deliveries.matching(conn, name=name, count=2))
    if len(found) > 1:
        raise click.ClickException(f"Several deliveries begin with {name!r}: `balansity deliveries {name}` lists them.")
    for row in found:
        attempts = queries.deliveries.attempts(conn, delivery_id=row.id)
        reported = queries.deliveries.events(conn, delivery_id=row.id)
        told: dict[str, Any] = row._asdict()
        return told | {"attempt": [each._asdict() for each in attempts], "event": [each._asdict() for each in reported]}
    return None
