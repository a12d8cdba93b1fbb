"""What the tests of the broker share."""

from typing import Any

from db.connection import Connection

PATIENCE = 20_000  # milliseconds


def states(connection: Connection) -> dict[str, int]:
    return dict(run(connection, "SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state"))


def run(connection: Connection, statement: str, *arguments: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else None
