"""A dead letter with other arguments: a person puts right what was wrong in it, and sends it back to work."""

from collections.abc import Mapping
from typing import Any

from dramatiq import Message
from psycopg2.extras import Json

from broker import broker
from db import queries
from db.connection import Connection
from desk.decision import Decision, record
from errors import Refused
from messaging.encoding import encoded


def edit(conn: Connection, message_id: str, arguments: Mapping[str, Any], decision: Decision) -> str:
    """Send a dead or cancelled message back to work, called with these arguments by their names.

    It stays the same message, so that what goes once for it goes once. Gives the id of a cancelled copy of what it was.

    Raises:
        Refused: its actor takes no such arguments, or it is neither dead nor cancelled.
        InvalidMessage: JSON or PostgreSQL cannot carry them.
    """
    row = queries.messages.whole(conn, id=message_id)
    if row is None or row.state not in {"dead", "cancelled"}:
        raise Refused("Message %(id)s is not edited. Only a dead or a cancelled one is.", id=message_id)
    message: Message[Any] = Message(
        queue_name=row.queue,
        actor_name=row.actor or "",
        args=(),
        kwargs=dict(arguments),
        options={},
        message_id=message_id,
    )
    if not broker.process.repertoire.can_run(message):
        known = broker.process.repertoire.signature(message.actor_name) or "no actor of this version"
        raise Refused("Message %(id)s is not edited. It would call %(actor)s.", id=message_id, actor=known)
    encoded(message)
    reason = decision.reason.strip()
    copied = queries.messages.edit(
        conn, id=message_id, content=Json(_content(message)), who=decision.who, reason=reason
    )
    record(conn, decision, "edit message", message_id)
    return str(copied)


def _content(message: Message[Any]) -> dict[str, Any]:
    """The part of a message that its sender says, as it lies in the database."""
    said = {"args": [], "kwargs": message.kwargs}
    readable = broker.process.repertoire.readable(message.actor_name)
    return broker.seal.content(said, readable) if broker.seal else said
