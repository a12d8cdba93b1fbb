"""pgmq's queues for readers that are no workers: one message at a time, and done when they say so."""

from typing import Any

from db import queries
from db.connection import Connection


def read(conn: Connection, queue: str, vt: int) -> dict[str, Any] | None:
    """Take the next message, hidden from other readers for `vt` seconds; None where there is none.

    It has msg_id, read_ct, enqueued_at, vt, message and msg, the same as message.
    """
    task: dict[str, Any] | None = queries.pgmq.read(conn, queue=queue, vt=vt)
    return task


def archive(conn: Connection, queue: str, msg_id: int) -> bool:
    """Mark a message as done; true where it was there."""
    return bool(queries.pgmq.archive(conn, queue=queue, msg_id=msg_id))
