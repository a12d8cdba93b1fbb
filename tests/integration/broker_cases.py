"""What the tests of the broker share."""

import uuid
from typing import Any

import dramatiq
from psycopg2 import extensions

from db.connection import Connection
from tests.waiting import WAITS_HERE

PATIENCE = 20_000  # milliseconds


def states(connection: Connection) -> dict[str, int]:
    return dict(run(connection, "SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state"))


def run(connection: Connection, statement: str, *arguments: Any) -> Any:
    with connection.cursor(cursor_factory=extensions.cursor) as cursor:  # whose columns need no names
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else None


def blocked(connection: Connection) -> int:
    """How many sessions of this database wait for a lock."""
    [(count,)] = run(connection, f"SELECT count(DISTINCT pid) FROM pg_locks WHERE {WAITS_HERE}")
    return int(count)


def message_with(**fields: Any) -> dramatiq.Message[Any]:
    given = {"queue_name": "default", "actor_name": "note", "args": (), "kwargs": {}, "options": {}, **fields}
    return dramatiq.Message(**{"message_id": str(uuid.uuid4()), **given})
