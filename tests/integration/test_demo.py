"""The demonstration finds out whether what was seen is all there is, and no more."""

import io
import time
from pathlib import Path

from rich.console import Console

import actors
from db import queries
from db.connection import Connection
from demo.account import Account
from demo.stage import Stage


def test_what_nobody_expected_is_a_problem(connection: Connection, tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT balansity.record_events(%s, 'UTC', now())",
            ('[{"key": "1", "type": "visit", "occurred_at": "2026-11-23T10:35Z", "facts": {}}]',),
        )
        cursor.execute(
            "INSERT INTO balansity.report "
            "(assessment_id, format, digest, filename, media_type, size_bytes, content, created_at) "
            "VALUES (gen_random_uuid(), 'pdf', '', 'report.pdf', 'application/pdf', 0, '', now())"
        )
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "one.eml").touch()
    account = Account(Stage(tmp_path, ""), [], Console(file=io.StringIO()), time.monotonic())
    account.look(connection)
    assert account.problems(connection) == [
        "1 reports instead of 0",
        "1 analytics instead of 0",
        "1 mail files instead of 0",
    ]


def test_what_falls_due_within_a_minute_is_unfinished(connection: Connection, database: str) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute("""SELECT dramatiq.send('record_event', '{"type": "visit"}', delay => '1 hour')""")
        assert queries.messages.unfinished_soon(connection) == 0
        cursor.execute("""SELECT dramatiq.send('record_event', '{"type": "visit"}', delay => '30 seconds')""")
        assert queries.messages.unfinished_soon(connection) == 1
