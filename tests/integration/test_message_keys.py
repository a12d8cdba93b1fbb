"""With keys, no queue, dead letter, result or archive tells of a person, and everything goes on working."""

import json
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest

from db.connection import Connection
from db.database import pool, transaction
from errors import PermanentError
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ADDRESS, NAME = "anna.karenina@example.com", "Каренина"
ORDER = {"to": ADDRESS, "variables": {"name": f"Анна {NAME}"}}
TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema IN ('dramatiq', 'pgmq') AND table_type = 'BASE TABLE'
"""
HOLDING = 'SELECT held::text FROM "{}"."{}" AS held'


@pytest.fixture
def keys() -> list[bytes]:
    """The keys of the broker under test, for a test to change."""
    return [OLD]


@pytest.fixture
def broker(environment: pytest.MonkeyPatch, keys: list[bytes]) -> Iterator[PostgresBroker]:
    broker = PostgresBroker(pool, keys=lambda: keys)
    yield broker
    broker.close()


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def write(broker: PostgresBroker, seen: list[dict[str, Any]]) -> Any:
    """An actor that keeps what it was given, and fails in the words of its input where that says so."""

    @dramatiq.actor(
        broker=broker, queue_name="emails", pgmq_queue="email_queue", readable=["key"], max_retries=1, min_backoff=1,
        max_backoff=1, store_results=True, throws=(PermanentError,)
    )  # fmt: skip
    def write(**payload: Any) -> Any:
        seen.append(payload)
        if fault := payload.get("fault"):
            raise {"for good": PermanentError, "again": ValueError}[fault](f"no mailbox {payload['to']} of {NAME}")
        return payload

    with transaction() as conn:
        broker.publish_actors(conn)
    return write


def readable(connection: Connection) -> list[str]:
    """The tables of the broker and of pgmq in which the person can be read, in text or in bytes."""
    words = [ADDRESS, NAME, "Анна", "anna", ADDRESS.encode().hex(), NAME.encode().hex(), json.dumps(NAME)[1:-1]]
    return [
        f"{schema}.{table}: {row}"
        for schema, table in run(connection, TABLES)
        for (row,) in run(connection, HOLDING.format(schema, table))
        if any(word in row for word in words)
    ]


def test_nothing_tells_of_a_person_whatever_way_a_message_came_and_however_it_ended(
    broker: PostgresBroker, write: Any, work: Any, connection: Connection, seen: list[dict[str, Any]]
) -> None:
    ended = write.send(**ORDER)
    write.send_with_options(kwargs=ORDER, delay=86_400_000)
    write.send_with_options(kwargs={**ORDER, "fault": "for good"}, note=f"for {ADDRESS}")
    dramatiq.pipeline(
        [write.message(**ORDER), write.message_with_options(kwargs=ORDER, pipe_ignore=True)], broker=broker
    ).run()
    broker.enqueue_many([write.message(**ORDER) for _ in range(100)])
    assert readable(connection) == []
    assert not seen

    send = "SELECT dramatiq.send('write', %s::jsonb)"
    run(connection, send, json.dumps(ORDER))
    run(connection, send, json.dumps({**ORDER, "fault": "again"}))
    for payload in (
        {**ORDER, "key": "reminder:1"},
        {ADDRESS: 1, "self": NAME, "key": ADDRESS},
        {**ORDER, "fault": "again"},
        [ADDRESS],
        ADDRESS,
    ):
        run(connection, "SELECT pgmq.send('email_queue', %s::jsonb)", json.dumps(payload))
    run(
        connection,
        "SELECT pgmq.send('email_queue', %s::jsonb)",
        f'{{"to": "{ADDRESS}", "deep": {"[" * 1500 + "]" * 1500}}}',
    )
    work()
    until(lambda: states(connection) == {"queued": 1, "done": 106, "rejected": 6})
    assert readable(connection) == []
    assert run(connection, "SELECT count(*) FROM pgmq.a_email_queue") == [(6,)]
    assert {**ORDER, "key": "reminder:1"} in seen
    assert {ADDRESS: 1, "key": ADDRESS} in seen
    keys = run(connection, "SELECT message #>> '{kwargs,key}' FROM dramatiq.queue WHERE message -> 'kwargs' ? 'key'")
    assert sorted(keys, key=str) == [("reminder:1",), (None,)]  # what SQL asks for, unless it names somebody
    assert broker.get_results_backend().get_result(ended, block=True, timeout=PATIENCE) == ORDER
    kinds = {error.splitlines()[-1] for (error,) in run(connection, "SELECT error FROM dramatiq.dead_letter")}
    assert {"ValueError", "PermanentError"} < kinds
