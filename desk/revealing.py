"""What is kept from view, shown to a person who says why; who saw what stays."""

from typing import Any

from broker import broker
from db import queries
from db.connection import Connection
from desk.decision import Decision, record


def message(conn: Connection, message_id: str, decision: Decision) -> Any:
    """What a message says, decrypted; to be shown once this transaction is committed.

    Raises:
        InvalidMessage: no such message is kept, or it was changed since it was sealed.
        KeyMissing: its key is not here.
    """
    said = broker.vault.opened(conn, message_id)
    _note(conn, message_id, decision)
    return said


def delivery(conn: Connection, delivery_id: str, decision: Decision) -> dict[str, Any]:
    """A delivery with its recipient, its attempts' answers and what the provider reported."""
    row = queries.deliveries.find(conn, id=delivery_id)
    attempts = queries.deliveries.attempts(conn, delivery_id=delivery_id)
    reported = queries.deliveries.events(conn, delivery_id=delivery_id)
    _note(conn, delivery_id, decision)
    told: dict[str, Any] = row._asdict()
    return told | {"attempt": [each._asdict() for each in attempts], "event": [each._asdict() for each in reported]}


def _note(conn: Connection, id_: str, decision: Decision) -> None:
    queries.messages.note_revelation(conn, id=id_, who=decision.who, reason=decision.reason.strip())
    record(conn, decision, "reveal", id_)
