"""The broker's promises to one process: order, delays, transactions, fences and dead letters."""

import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import Retry

from db import queries
from db.connection import Connection
from errors import InvalidMessage, PermanentError
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states


def test_a_sent_message_runs_once_and_is_done(broker: PostgresBroker, work: Any, connection: Connection) -> None:
    seen: list[str] = []

    @dramatiq.actor(broker=broker)
    def greet(name: str) -> None:
        seen.append(name)

    greet.send("Анна")
    work()
    broker.join("default", timeout=PATIENCE)
    assert seen == ["Анна"]
    assert states(connection) == {"done": 1}


def test_messages_of_one_priority_run_in_the_order_of_sending(broker: PostgresBroker, work: Any) -> None:
    seen: list[int] = []
    actor = dramatiq.actor(broker=broker, actor_name="note")(seen.append)
    for number in range(300):
        actor.send(number)
    work(threads=1)
    broker.join("default", timeout=PATIENCE)
    assert seen == list(range(300))


def test_a_higher_priority_runs_first(broker: PostgresBroker, work: Any) -> None:
    seen: list[str] = []
    calm = dramatiq.actor(broker=broker, actor_name="calm")(seen.append)
    urgent = dramatiq.actor(broker=broker, actor_name="urgent", priority=-5)(seen.append)
    calm.send("actor of priority 0")
    urgent.send("actor of priority -5, Dramatiq's way round")
    calm.send_with_options(args=("message of broker_priority 9",), broker_priority=9)
    work(threads=1)
    broker.join("default", timeout=PATIENCE)
    assert seen == [
        "message of broker_priority 9",
        "actor of priority -5, Dramatiq's way round",
        "actor of priority 0",
    ]


def test_a_delayed_message_waits_in_the_table(broker: PostgresBroker, work: Any) -> None:
    ran_at: list[float] = []

    @dramatiq.actor(broker=broker)
    def note() -> None:
        ran_at.append(time.time())

    sent_at = time.time()
    note.send_with_options(delay=700)
    work()
    broker.join("default", timeout=PATIENCE)
    assert ran_at[0] - sent_at >= 0.7


def test_a_failure_is_retried_under_the_same_id_and_then_becomes_a_dead_letter(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    seen: list[int] = []

    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=10, max_backoff=20)
    def fail() -> None:
        seen.append(1)
        raise ValueError("no such luck")

    message = fail.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert len(seen) == 3
    [(message_id, error, attempt)] = run(
        connection, "SELECT message_id::text, error, attempt FROM dramatiq.dead_letter"
    )
    assert message_id == message.message_id
    assert "ValueError: no such luck" in error
    assert attempt == 3


def test_a_permanent_error_is_not_retried(broker: PostgresBroker, work: Any, connection: Connection) -> None:
    @dramatiq.actor(broker=broker, throws=(PermanentError,))
    def fail() -> None:
        raise PermanentError("Assessment 7 does not exist.")

    fail.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert run(connection, "SELECT attempt, error FROM dramatiq.dead_letter") == [
        (1, "PermanentError: Assessment 7 does not exist.")
    ]


def test_a_retry_without_delay_runs_again_at_once(broker: PostgresBroker, work: Any, connection: Connection) -> None:
    seen: list[int] = []

    @dramatiq.actor(broker=broker)
    def again() -> None:
        seen.append(1)
        if len(seen) < 3:
            raise Retry(delay=0)

    again.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert len(seen) == 3
    assert states(connection) == {"done": 1}


def test_a_dead_letter_that_is_redriven_runs_with_a_clean_record(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    broken = [True]

    @dramatiq.actor(broker=broker, max_retries=0)
    def mend() -> None:
        if broken:
            raise ValueError("still broken")

    message = mend.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert states(connection) == {"rejected": 1}
    broken.clear()
    assert queries.messages.redrive(connection, ids=[message.message_id]) == 1
    broker.join("default", timeout=PATIENCE)
    assert states(connection) == {"done": 1}


def test_a_row_that_is_no_message_becomes_a_dead_letter(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    broker.declare_queue("default")
    run(
        connection,
        "INSERT INTO dramatiq.queue (message_id, state, message) VALUES (gen_random_uuid(), 'queued', '{\"a\": 1}')",
    )
    work()
    broker.join("default", timeout=PATIENCE)
    [(error,)] = run(connection, "SELECT error FROM dramatiq.dead_letter")
    assert "is not a Dramatiq message" in error


def test_what_is_sent_in_a_transaction_exists_only_if_it_commits(
    broker: PostgresBroker, connect: Callable[[], Connection]
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    caller, other = connect(), connect()
    caller.autocommit = False
    with broker.transaction(caller):
        actor.send("lost")
    caller.rollback()
    assert states(other) == {}
    with broker.transaction(caller):
        actor.send("kept")
    assert states(other) == {}
    caller.commit()
    assert states(other) == {"queued": 1}


@pytest.mark.parametrize("value", [float("nan"), "\x00", "\ud800", object(), {1, 2}, b"bytes", "x" * 2_000_000])
def test_what_cannot_be_stored_is_refused_at_send_with_its_name(
    broker: PostgresBroker, connection: Connection, value: Any
) -> None:
    @dramatiq.actor(broker=broker)
    def note(*numbered: Any, **named: Any) -> None: ...

    with pytest.raises(InvalidMessage, match=r"Message for note.* argument 'text'"):
        note.send(1, other=2, text=value)
    with pytest.raises(InvalidMessage, match=r"Message for note.* argument 2"):
        note.send("sound \\u0000", [{"deep": value}])
    assert states(connection) == {}


def test_a_name_too_long_for_a_channel_is_refused(broker: PostgresBroker) -> None:
    with pytest.raises(ValueError, match="46 bytes at most"):
        broker.declare_queue("q" * 47)


def test_an_ack_under_an_old_attempt_changes_nothing(broker: PostgresBroker, connection: Connection) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    message_id = actor.send().message_id
    [(worker,)] = run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('here', 1) RETURNING id")
    claim = "SELECT attempt FROM dramatiq.exchange(%s, 'default', '{}', '{}', 1)"
    assert run(connection, claim, worker) == [(1,)]
    run(connection, "SELECT dramatiq.requeue(ARRAY[%s]::uuid[], '{1}')", message_id)
    assert run(connection, claim, worker) == [(2,)]
    for settle in (
        "SELECT * FROM dramatiq.exchange(%s, 'default', ARRAY[%s]::uuid[], '{1}', 0)",
        "SELECT dramatiq.retry(%s, 1, NULL, 0, 'late')",
        "SELECT dramatiq.reject(%s, 1, NULL, 'late')",
    ):
        run(connection, settle, *((worker, message_id) if "exchange" in settle else (message_id,)))
        assert states(connection) == {"consumed": 1}
