"""What ended is kept by the minute, once, and the figures come from there whatever the table has grown to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors.messages import keep
from db import overview
from db.connection import Connection
from tests.integration.broker_cases import run

pytestmark = pytest.mark.usefixtures("environment")

ENDED = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, message, attempt, mtime, available_at)
    SELECT gen_random_uuid(), %s, %s, '{"actor_name": "bake"}', %s, now() - %s * interval '1 minute',
           now() - %s * interval '1 minute' - %s * interval '1 second'
    FROM generate_series(1, %s)
"""


def ended(connection: Connection, ago: float, count: int = 1, **other: Any) -> None:
    queue, state = other.get("queue", "default"), other.get("state", "done")
    run(connection, ENDED, queue, state, other.get("attempt", 1), ago, ago, other.get("seconds", 1.5), count)


def kept_since(connection: Connection, minutes: int) -> None:
    run(
        connection,
        "UPDATE dramatiq.kept_until SET at = date_trunc('minute', now()) - %s * interval '1 minute'",
        minutes,
    )


def figures(connection: Connection, queue: str = "default") -> dict[str, Any]:
    return next(row for row in overview.queues(connection) if row["queue"] == queue)


def test_each_end_counts_once_in_its_minute(connection: Connection) -> None:
    kept_since(connection, 60)
    ended(connection, 2, 3)
    ended(connection, 30, 5, seconds=40, attempt=3)
    ended(connection, 30, 2, state="rejected")
    for _ in range(2):
        keep(datetime.now(UTC))
    sums = "sum(messages)::int, sum(attempts)::int, round(sum(seconds))::int"
    rows = f"SELECT ending, {sums} FROM dramatiq.{{}} GROUP BY ending ORDER BY ending"
    assert run(connection, rows.format("minute")) == [("dead", 2, 2, 3), ("done", 8, 18, 204)]
    assert run(connection, rows.format("total")) == run(connection, rows.format("minute"))
    told = figures(connection)
    assert (told["done_an_hour"], told["dead"]) == (8, 2)
    assert 10 < told["p50_seconds"] <= 60 <= told["p95_seconds"] + 5


def test_what_ends_in_the_running_minute_waits_for_the_next(connection: Connection) -> None:
    kept_since(connection, 1)
    keep(datetime.now(UTC))
    [(until,)] = run(connection, "SELECT at FROM dramatiq.kept_until")
    run(connection, "UPDATE dramatiq.queue SET mtime = %s", until)
    assert run(connection, "SELECT count(*)::int FROM dramatiq.minute WHERE minute >= %s", until) == [(0,)]
    assert datetime.now(UTC) - timedelta(minutes=2) < until <= datetime.now(UTC)


def test_a_long_pause_is_made_up_for_few_minutes_at_a_time(connection: Connection) -> None:
    kept_since(connection, 55)
    for ago in range(2, 50):
        ended(connection, ago)
    assert keep(datetime.now(UTC)).startswith("kept until ")
    assert figures(connection)["done_an_hour"] == 48


def test_old_minutes_are_purged_and_the_totals_stay(connection: Connection) -> None:
    kept_since(connection, 10)
    ended(connection, 3)
    keep(datetime.now(UTC))
    assert keep(datetime.now(UTC) + timedelta(days=9)).endswith("1 rows purged")
    assert run(connection, "SELECT messages::int FROM dramatiq.total") == [(1,)]


def test_many_are_counted_by_the_last_minute_and_few_as_they_are(connection: Connection) -> None:
    ended(connection, 5, 1200, state="queued")
    ended(connection, 5, 3, state="queued", queue="other")
    kept_since(connection, 2)
    keep(datetime.now(UTC))
    ended(connection, 5, 5, state="queued")
    ended(connection, 5, 5, state="queued", queue="other")
    assert (figures(connection)["waiting"], figures(connection, "other")["waiting"]) == (1200, 8)
    assert 300 <= figures(connection)["oldest_seconds"] <= 360
