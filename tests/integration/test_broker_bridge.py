"""What arrives through pgmq reaches its actor once, and what cannot be a message is kept with its reason."""

from typing import Any

import dramatiq
import pytest

from db import queries
from db.connection import Connection
from errors import PermanentError
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.waiting import until


def test_a_pgmq_message_reaches_its_actor_and_is_archived(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    seen: list[dict[str, Any]] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(**payload: Any) -> None:
        seen.append(payload)

    work()
    run(connection, 'SELECT pgmq.send(\'analytics_queue\', \'{"type": "visit", "page": "дом"}\')')
    until(lambda: states(connection) == {"done": 1})
    assert seen == [{"type": "visit", "page": "дом"}]
    assert run(connection, "SELECT count(*) FROM pgmq.q_analytics_queue") == [(0,)]
    assert run(connection, "SELECT count(*) FROM pgmq.a_analytics_queue") == [(1,)]


def test_an_urgent_pgmq_message_overtakes_a_backlog(broker: PostgresBroker, work: Any, connection: Connection) -> None:
    seen: list[str] = []

    @dramatiq.actor(broker=broker, queue_name="emails", pgmq_queue="email_queue")
    def note(subject: str, **rest: Any) -> None:
        seen.append(subject)

    run(connection, "SELECT queue_email_task('', 'calm', '') FROM generate_series(1, 2000)")
    run(connection, "SELECT queue_email_task('', 'urgent', '', p_priority => 100)")
    work(threads=1)
    until(lambda: "urgent" in seen)
    assert seen.index("urgent") == 0


def test_a_pgmq_message_nested_too_deep_for_python_fails_alone(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(**payload: Any) -> None: ...

    run(connection, "SELECT pgmq.send('analytics_queue', %s::jsonb)", '{"deep": ' + "[" * 1500 + "]" * 1500 + "}")
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"type\": \"visit\"}')")
    work()
    until(lambda: states(connection) == {"done": 1, "rejected": 1})


def test_a_pgmq_message_with_a_key_called_self_reaches_its_actor(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    seen: list[dict[str, Any]] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(**payload: Any) -> None:
        seen.append(payload)

    run(connection, 'SELECT pgmq.send(\'analytics_queue\', \'{"type": "visit", "self": 1}\')')
    work()
    until(lambda: states(connection) == {"done": 1})
    assert seen == [{"type": "visit"}]


def test_what_never_was_a_message_is_not_sent_back_to_work(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    dramatiq.actor(broker=broker, actor_name="record", queue_name="analytics", pgmq_queue="analytics_queue")(print)
    run(connection, "SELECT pgmq.send('analytics_queue', '[1]')")
    work()
    until(lambda: states(connection) == {"rejected": 1})
    [(message_id, payload)] = run(connection, "SELECT message_id::text, message FROM dramatiq.dead_letter")
    assert payload == {"payload": [1]}
    assert queries.messages.redrive(connection, ids=[message_id]) == 0
    assert states(connection) == {"rejected": 1}


@pytest.mark.parametrize("number", ["1" * 5000, "1" * 400 + ".5"], ids=["too long an integer", "infinity as a float"])
def test_a_number_that_python_cannot_carry_ends_as_a_dead_letter_and_the_queue_flows_on(
    broker: PostgresBroker, work: Any, connection: Connection, number: str
) -> None:
    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue", throws=(PermanentError,))
    def record(value: float) -> None:
        if value > 1:
            raise PermanentError("Too much.")

    run(connection, "SELECT pgmq.send('analytics_queue', %s::jsonb)", f'{{"value": {number}}}')
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"value\": 1}')")
    work()
    until(lambda: states(connection) == {"done": 1, "rejected": 1})


@pytest.mark.parametrize("body", ["[1]", "7", "null", '"text"'])
def test_a_pgmq_message_that_is_no_object_becomes_a_dead_letter_and_the_queue_flows_on(
    broker: PostgresBroker, work: Any, connection: Connection, body: str
) -> None:
    seen: list[dict[str, Any]] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(**payload: Any) -> None:
        seen.append(payload)

    run(connection, "SELECT pgmq.send('analytics_queue', %s::jsonb)", body)
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"type\": \"visit\"}')")
    work()
    until(lambda: states(connection) == {"done": 1, "rejected": 1})
    [(error, pgmq_queue)] = run(connection, "SELECT error, pgmq_queue FROM dramatiq.dead_letter")
    assert "not a JSON object" in error
    assert pgmq_queue == "analytics_queue"
    assert seen == [{"type": "visit"}]


def test_a_pgmq_message_that_another_reader_holds_is_left_alone(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    seen: list[dict[str, Any]] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(**payload: Any) -> None:
        seen.append(payload)

    run(connection, "SELECT pgmq.send('analytics_queue', '{\"held\": true}')")
    run(connection, "SELECT pgmq_read('analytics_queue', 600)")
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"held\": false}')")
    work()
    until(lambda: states(connection) == {"done": 1})
    assert seen == [{"held": False}]
