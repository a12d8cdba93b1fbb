"""What the tests of the broker share."""

import time
from collections.abc import Callable
from typing import Any

from db.connection import Connection

PATIENCE = 20_000  # milliseconds


def states(connection: Connection) -> dict[str, int]:
    return dict(run(connection, "SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state"))


def run(connection: Connection, statement: str, *arguments: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else None


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
