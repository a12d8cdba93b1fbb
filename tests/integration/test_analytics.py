"""Analytics events are kept once, counted on the right day, and taken in batches."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from actors.analytics import _readable, record_event
from broker import broker
from db import queries
from db.connection import Connection
from errors import InvalidMessage
from messaging import testing

MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Row:
    """A message that waits, as the database would give it."""

    message_id: None
    msg_id: int
    key: str
    sent_at: datetime
    payload: str
    sealed: str | None = None


@pytest.fixture
def drain(environment: pytest.MonkeyPatch) -> Callable[[], int]:
    """Works through the analytics queue until nothing is left to do."""
    return partial(testing.drain, broker, "analytics")


@pytest.fixture
def connections(connect: Callable[[], Connection]) -> list[Connection]:
    return [connect() for _ in range(4)]


def rows(connection: Connection, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall()


def queue(connection: Connection, *messages: Any) -> None:
    """Put messages into pgmq, as the triggers do; a string is JSON already."""
    for message in messages:
        text = message if isinstance(message, str) else json.dumps(message)
        rows(connection, "SELECT pgmq.send('analytics_queue', %s::jsonb)", text)


def daily(connection: Connection) -> dict[tuple[date, str], int]:
    found = rows(connection, "SELECT day, type, events FROM balansity.analytics_daily")
    return {(day, kind): count for day, kind, count in found}


def recounted(connection: Connection) -> dict[tuple[date, str], int]:
    """The same numbers, counted from the kept events and their times."""
    found = rows(
        connection,
        "SELECT (occurred_at AT TIME ZONE 'Europe/Moscow')::date, type, count(*) "
        "FROM balansity.analytics_event GROUP BY 1, 2",
    )
    return {(day, kind): count for day, kind, count in found}


def test_an_event_is_counted_on_the_clinics_day(drain: Callable[[], int], connection: Connection) -> None:
    late_evening = {"type": "assessment_completed", "completed_at": "2026-11-23T20:59:59Z"}
    after_midnight = {"type": "assessment_completed", "completed_at": "2026-11-23 21:00:00+00"}
    queue(connection, late_evening, after_midnight)
    drain()
    assert daily(connection) == {
        (date(2026, 11, 23), "assessment_completed"): 1,
        (date(2026, 11, 24), "assessment_completed"): 1,
    }


def test_an_event_with_a_key_is_kept_once_however_often_it_is_sent(
    drain: Callable[[], int], connection: Connection
) -> None:
    event = {"type": "payment_completed", "key": "payment:7:completed", "created_at": NOON.isoformat()}
    queue(connection, event, event)
    record_event.send(**event)
    drain()
    record_event.send(**event)
    drain()
    assert daily(connection) == {(date(2026, 11, 23), "payment_completed"): 1}


def test_equal_events_without_a_key_are_two(drain: Callable[[], int], connection: Connection) -> None:
    event = {"type": "page_seen", "occurred_at": NOON.isoformat()}
    queue(connection, event, event)
    drain()
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 2}


def test_a_redelivered_message_changes_nothing(drain: Callable[[], int], connection: Connection) -> None:
    record_event.send(type="page_seen", occurred_at=NOON.isoformat())
    drain()
    rows(connection, "UPDATE dramatiq.queue SET state = 'queued', claimed_by = NULL RETURNING 1")
    drain()
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 1}


def test_events_of_a_queue_that_was_created_anew_are_new(connection: Connection) -> None:
    for _ in range(2):
        queue(connection, {"type": "page_seen", "occurred_at": NOON.isoformat()})
        for redelivered in (False, True):
            events = [event for *_, event in _readable(queries.analytics.take_along(connection, count=10))]
            new = queries.analytics.record(connection, events=f"[{','.join(events)}]", zone=MOSCOW.key, at=NOON)
            assert new == (0 if redelivered else 1)
        rows(connection, "DROP VIEW IF EXISTS pgmq.analytics_queue; SELECT pgmq.drop_queue('analytics_queue')")
        rows(connection, "SELECT pgmq.create('analytics_queue')")
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 2}


def test_many_waiting_events_are_taken_in_a_few_batches(drain: Callable[[], int], connection: Connection) -> None:
    many = [{"type": "page_seen", "number": number, "occurred_at": NOON.isoformat()} for number in range(3000)]
    rows(connection, "SELECT pgmq.send_batch('analytics_queue', %s::jsonb[])", [json.dumps(each) for each in many])
    drain()
    numbers = rows(connection, "SELECT (facts ->> 'number')::int FROM balansity.analytics_event ORDER BY 1")
    assert [number for (number,) in numbers] == list(range(3000))
    [(transactions,)] = rows(connection, "SELECT count(DISTINCT received_at) FROM balansity.analytics_event")
    assert transactions < 40
    assert rows(connection, "SELECT count(*) FROM pgmq.a_analytics_queue") == [(3000,)]


def test_events_sent_by_application_code_are_taken_in_batches_too(
    drain: Callable[[], int], connection: Connection
) -> None:
    broker.enqueue_many(
        record_event.message(type="page_seen", number=number, occurred_at=NOON.isoformat()) for number in range(2000)
    )
    drain()
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 2000}
    [(transactions,)] = rows(connection, "SELECT count(DISTINCT received_at) FROM balansity.analytics_event")
    assert transactions < 40
    assert rows(connection, "SELECT state::text, count(*) FROM dramatiq.queue GROUP BY 1") == [("done", 2000)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"kind": "no type"}, "type is missing"),
        ({"type": " "}, "type is wrong"),
        (["page_seen"], "not a JSON object"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_message_of_a_wrong_shape_becomes_a_dead_letter_and_the_queue_flows_on(
    drain: Callable[[], int], connection: Connection, message: Any, reason: str
) -> None:
    queue(connection, message, {"type": "page_seen", "occurred_at": NOON.isoformat()})
    with suppress(InvalidMessage):  # what SQL refuses never runs
        drain()
    [(error,)] = rows(connection, "SELECT error FROM dramatiq.dead_letter")
    assert reason in error
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 1}


def test_an_event_nested_too_deeply_holds_up_no_other() -> None:
    deep = "[" * 5000 + "]" * 5000
    found = [Row(None, 1, "a", NOON, f'{{"type": "t", "facts": {deep}}}'), Row(None, 2, "b", NOON, '{"type": "t"}')]
    assert [row.msg_id for row, _ in _readable(found)] == [2]


def event_lists() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events of any few types, late and out of order, some of them sent twice."""
    moments = st.integers(-(60 * 72), 60 * 72).map(lambda minutes: (NOON + timedelta(minutes=minutes)).isoformat())
    keys = st.integers(0, 30).map(lambda number: f"event:{number}")
    kinds = st.sampled_from(["assessment_completed", "payment_completed", "page_seen"])
    event = st.fixed_dictionaries({"key": keys, "type": kinds, "occurred_at": moments, "facts": st.just({})})
    return st.lists(event, max_size=40)


def record_at_once(connections: list[Connection], batches: list[list[dict[str, Any]]]) -> list[int]:
    """Record each batch on a connection of its own, all at the same time; returns how many events were new."""
    start = Barrier(len(batches))

    def work(conn: Connection, batch: list[dict[str, Any]]) -> int:
        start.wait()
        return int(queries.analytics.record(conn, events=json.dumps(batch), zone=MOSCOW.key, at=NOON))

    with ThreadPoolExecutor(len(batches)) as threads:
        return list(threads.map(work, connections, batches))


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(event_lists(), min_size=4, max_size=4))
def test_daily_numbers_equal_a_recount(connections: list[Connection], batches: list[list[dict[str, Any]]]) -> None:
    connection = connections[0]
    rows(connection, "TRUNCATE balansity.analytics_event, balansity.analytics_daily; SELECT 1")
    added = record_at_once(connections, batches)
    assert daily(connection) == recounted(connection)
    keys = {event["key"] for batch in batches for event in batch}
    assert sum(daily(connection).values()) == sum(added) == len(keys)


def test_workers_that_record_the_same_events_at_once_neither_deadlock_nor_count_twice(
    connections: list[Connection],
) -> None:
    batch = [
        {"key": f"event:{number}", "type": f"type {number % 7}", "occurred_at": NOON.isoformat(), "facts": {}}
        for number in range(500)
    ]
    orders = [batch, batch[::-1], batch[250:] + batch[:250], batch[::2] + batch[1::2]]
    assert sum(record_at_once(connections, orders)) == 500
    assert daily(connections[0]) == recounted(connections[0])


def record(connection: Connection, *moments: str, received_at: datetime = NOON) -> None:
    """Events at these moments, each with a key of its own."""
    batch = [{"key": at, "type": "page_seen", "occurred_at": at, "facts": {}} for at in moments]
    queries.analytics.record(connection, events=json.dumps(batch), zone=MOSCOW.key, at=received_at)


def recount(connection: Connection, zone: str) -> int:
    keys = [row.key for row in queries.analytics.kept(connection, after=None, rows=10)]
    moved: int = queries.analytics.recount(connection, keys=keys, zone=zone)
    queries.analytics.drop_empty_days(connection)
    return moved


def test_a_recount_moves_days_to_another_time_zone(connection: Connection) -> None:
    record(connection, "2026-11-23T20:30:00Z", "2026-11-23T12:00:00Z")
    assert recount(connection, "Asia/Yekaterinburg") == 1
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 1, (date(2026, 11, 24), "page_seen"): 1}
    assert recount(connection, "Asia/Yekaterinburg") == 0
    assert recount(connection, MOSCOW.key) == 1
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 2}


def test_old_events_are_purged_and_their_counts_stay_through_a_recount(connection: Connection) -> None:
    record(connection, "2026-11-23T12:00:00Z", "2026-11-23T12:01:00Z", received_at=NOON - timedelta(days=1))
    record(connection, "2026-11-23T20:30:00Z")
    old = [row.key for row in queries.analytics.old(connection, before=NOON, at=None, after=None, rows=10)]
    assert queries.analytics.purge(connection, keys=old) == 2
    assert rows(connection, "SELECT facts FROM balansity.analytics_event") == [({},)]
    recount(connection, "Asia/Yekaterinburg")
    assert daily(connection) == {(date(2026, 11, 23), "page_seen"): 2, (date(2026, 11, 24), "page_seen"): 1}
