"""What goes wrong around a message costs neither the message nor its neighbours."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import Retry
from dramatiq.middleware import SkipMessage

from db.connection import Connection, Pool
from errors import InvalidMessage, SettingsError
from messaging import consumer, pulse
from messaging.broker import PostgresBroker
from messaging.claim import Claim
from messaging.custody import Custody
from messaging.intake import FEWEST_COPIED
from messaging.pulse import SILENCE_SECONDS
from tests.integration.broker_cases import PATIENCE, message_with, run, states
from tests.servers import deaf_relay
from tests.servers.deaf_relay import DeafRelay
from tests.waiting import until

Connect = Callable[[], Connection]
Work = Callable[..., dramatiq.Worker]


def refuse(*_: Any) -> bool:
    raise KeyError("a mistake in somebody's hook")


@pytest.mark.parametrize("options", [{"retry_when": refuse}, {"max_retries": "3"}, {"min_backoff": "soon"}])
def test_a_failure_whose_retry_hook_fails_too_becomes_a_dead_letter(
    broker: PostgresBroker, work: Work, connection: Connection, options: dict[str, Any]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("of the actor")

    actor: Any = dramatiq.actor(broker=broker, **options)(fail)
    actor.send()
    work()
    until(lambda: states(connection) == {"rejected": 1})
    assert "ZeroDivisionError: of the actor" in run(connection, "SELECT error FROM dramatiq.dead_letter")[0][0]


@pytest.mark.parametrize("delay", [0.5, timedelta(milliseconds=1), -5])
def test_a_retry_may_be_asked_for_in_any_unit_of_time(broker: PostgresBroker, work: Work, delay: Any) -> None:
    tries: list[int] = []

    @dramatiq.actor(broker=broker)
    def try_twice() -> None:
        tries.append(1)
        if len(tries) < 2:
            raise Retry(delay=delay)

    try_twice.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert len(tries) == 2


@pytest.mark.parametrize("delay", ["soon", float("nan"), 10**19, timedelta(days=36_501)])
def test_a_delay_that_is_none_is_refused_at_send_and_ends_a_retry(
    broker: PostgresBroker, work: Work, connection: Connection, delay: Any
) -> None:
    @dramatiq.actor(broker=broker)
    def put_off() -> None:
        raise Retry(delay=delay)

    with pytest.raises(InvalidMessage, match="delay"):
        put_off.send_with_options(delay=delay)
    put_off.send()
    work()
    until(lambda: states(connection) == {"rejected": 1})


def test_options_that_cannot_be_stored_make_a_retry_a_dead_letter(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker)
    def spoil() -> None:
        message = dramatiq.middleware.CurrentMessage.get_current_message()
        assert message
        message.options["note"] = "\x00"
        raise ValueError

    spoil.send()
    work()
    until(lambda: states(connection) == {"rejected": 1})
    assert "could not be settled" in run(connection, "SELECT error FROM dramatiq.dead_letter")[0][0]


@pytest.mark.parametrize("count", [1, 2, FEWEST_COPIED])
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"queue_name": "a b"}, "Queue name 'a b'"),
        ({"queue_name": "кто"}, "Queue name 'кто'"),
        ({"queue_name": "a\tb"}, r"Queue name 'a\\tb'"),
        ({"queue_name": "q" * 47}, "46 bytes at most"),
        ({"message_id": "one"}, "its id 'one' is no UUID"),
        ({"options": {"broker_priority": 2**40}}, "broker_priority 1099511627776"),
        ({"options": {"broker_priority": "high"}}, "broker_priority 'high'"),
        ({"options": {"note": "\x00"}}, "option 'note'"),
        ({"options": {"note": object()}}, "option 'note'"),
    ],
)
def test_what_no_worker_could_find_or_read_is_refused_with_its_name(
    broker: PostgresBroker, connection: Connection, fields: dict[str, Any], named: str, count: int
) -> None:
    sound = [message_with() for _ in range(count - 1)]
    with pytest.raises(InvalidMessage, match=named):
        broker.enqueue_many([*sound, message_with(**fields)])
    assert states(connection) == {}


def test_the_size_of_a_message_counts_letters_and_not_their_escapes(
    broker: PostgresBroker, connection: Connection
) -> None:
    broker.enqueue(message_with(args=["я" * 450_000]))
    with pytest.raises(InvalidMessage, match="argument 1"):
        broker.enqueue(message_with(args=["я" * 510_000]))
    assert states(connection) == {"queued": 1}


def test_a_transaction_needs_a_connection_that_has_one(broker: PostgresBroker, connection: Connection) -> None:
    with pytest.raises(ValueError, match="autocommit"), broker.transaction(connection):
        pass


def test_a_refused_message_leaves_the_callers_transaction_usable(broker: PostgresBroker, connect: Connect) -> None:
    caller, other = connect(), connect()
    caller.autocommit = False
    with broker.transaction(caller), pytest.raises(InvalidMessage, match="argument 1"):
        broker.enqueue(message_with(args=["\x00"]))
    with broker.transaction(caller):
        broker.enqueue(message_with())
    caller.commit()
    assert states(other) == {"queued": 1}


def test_a_locked_row_does_not_keep_the_rescue_from_the_others(connect: Connect) -> None:
    other, connection = connect(), connect()
    strand(connection, 2)
    other.autocommit = False
    run(other, "SELECT FROM dramatiq.queue WHERE position = 1 FOR UPDATE")
    assert run(connection, "SELECT dramatiq.rescue('{}', '{}', 10)") == [(1,)]
    other.rollback()
    assert run(connection, "SELECT dramatiq.rescue('{}', '{}', 10)") == [(1,)]
    assert states(connection) == {"queued": 2}


def test_what_was_rescued_before_is_spread_over_time(connection: Connection) -> None:
    strand(connection, 50)
    run(connection, "UPDATE dramatiq.queue SET rescues = 5")
    run(connection, "SELECT dramatiq.rescue('{}', '{}', 10)")
    [(delayed, times)] = run(
        connection,
        "SELECT count(*) FILTER (WHERE delayed) AS delayed, count(DISTINCT available_at) AS times FROM dramatiq.queue",
    )
    assert (delayed, times) == (50, 50)


def test_the_purge_leaves_what_is_just_sent_back_to_work(connect: Connect) -> None:
    other, connection = connect(), connect()
    run(
        connection,
        "INSERT INTO dramatiq.queue (message_id, state, message, mtime)"
        " SELECT gen_random_uuid(), 'rejected', '{\"actor_name\": \"note\"}', now() - interval '1 year'"
        " FROM generate_series(1, 2)",
    )
    other.autocommit = False
    [(redriven,)] = run(other, "SELECT message_id::text FROM dramatiq.queue LIMIT 1")
    run(other, "SELECT dramatiq.redrive(ARRAY[%s]::uuid[])", redriven)
    purge = "SELECT dramatiq.purge(ARRAY(SELECT message_id FROM dramatiq.queue), 'rejected', now())"
    assert run(connection, purge) == [(1,)]
    other.commit()
    assert run(connection, "SELECT message_id::text, state::text FROM dramatiq.queue") == [(redriven, "queued")]


@pytest.fixture
def relay(database: str, environment: pytest.MonkeyPatch) -> Iterator[DeafRelay]:
    with deaf_relay.running(database) as relay:
        yield relay


@pytest.mark.parametrize(("count", "statement"), [(1, b"COPY"), (2, b"dramatiq.enqueue"), (FEWEST_COPIED, b"COMMIT")])
def test_a_lost_answer_to_enqueue_neither_loses_nor_doubles(
    relay: DeafRelay, connection: Connection, count: int, statement: bytes
) -> None:
    broker = PostgresBroker(Pool(lambda: relay.url, lambda: 2))
    messages = [message_with() for _ in range(count)]
    relay.lose_answer_to = statement
    broker.enqueue_many(messages)
    assert relay.lost == 1
    assert run(connection, "SELECT attempt, count(*) FROM dramatiq.queue GROUP BY attempt") == [(0, count)]

    # What has long run starts over, even if the first try did not get through.
    run(connection, "UPDATE dramatiq.queue SET state = 'done', mtime = now() - interval '1 hour'")
    relay.lose_answer_to = b"BEGIN" if count == FEWEST_COPIED else statement
    broker.enqueue_many(messages)
    assert states(connection) == {"queued": count}
    broker.close()


def test_a_broken_bridge_holds_up_neither_acks_nor_what_is_sent_straight(
    broker: PostgresBroker, work: Work, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(number: int) -> None:
        seen.append(number)

    run(connection, "ALTER TABLE pgmq.a_analytics_queue RENAME TO elsewhere")
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"number\": 1}')")
    with caplog.at_level(logging.WARNING):
        work()
        for number in range(2, 22):
            record.send(number)
        until(lambda: states(connection) == {"done": 20})
    assert caplog.text.count("bridge_failed") == 1
    assert sorted(seen) == list(range(2, 22))
    run(connection, "ALTER TABLE pgmq.elsewhere RENAME TO a_analytics_queue")
    until(lambda: states(connection) == {"done": 21})


def test_an_actor_may_take_over_the_route_of_another(broker: PostgresBroker, connection: Connection) -> None:
    dramatiq.actor(broker=broker, actor_name="older", queue_name="analytics", pgmq_queue="analytics_queue")(print)
    broker.publish_actors(connection, retire=True)
    newer = PostgresBroker(broker.pool)
    dramatiq.actor(broker=newer, actor_name="newer", queue_name="analytics", pgmq_queue="analytics_queue")(print)
    newer.publish_actors(connection, retire=True)
    broker.publish_actors(connection)  # as an older process does that starts
    assert run(connection, "SELECT name FROM dramatiq.actor WHERE pgmq_queue = 'analytics_queue'") == [("newer",)]


def test_a_pgmq_queue_feeds_one_queue(broker: PostgresBroker) -> None:
    dramatiq.actor(broker=broker, actor_name="one", queue_name="one", pgmq_queue="analytics_queue")(print)
    with pytest.raises(SettingsError, match="feeds queue 'one' already"):
        dramatiq.actor(broker=broker, actor_name="two", queue_name="two", pgmq_queue="analytics_queue")(print)


def test_a_pgmq_message_that_is_null_becomes_a_dead_letter_with_its_reason(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    dramatiq.actor(broker=broker, actor_name="record", queue_name="analytics", pgmq_queue="analytics_queue")(print)
    run(connection, "SELECT pgmq.send('analytics_queue', NULL::jsonb)")
    work()
    until(lambda: states(connection) == {"rejected": 1})
    assert "is NULL, not a JSON object" in run(connection, "SELECT error FROM dramatiq.dead_letter")[0][0]


def test_a_row_moved_to_another_queue_by_hand_runs_there_once(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    seen: list[int] = []
    actor = dramatiq.actor(broker=broker, actor_name="note")(lambda: seen.append(1))
    broker.declare_queue("other")
    actor.send()
    run(connection, "UPDATE dramatiq.queue SET queue_name = 'other'")
    work()
    until(lambda: states(connection) == {"done": 1})
    assert seen == [1]


def test_the_doorbell_wakes_a_worker_that_would_not_look_for_long(
    broker: PostgresBroker, work: Work, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "POLL_SECONDS", (3_600.0, 3_600.0))
    actor = dramatiq.actor(broker=broker, actor_name="note")(lambda: None)
    actor.send()
    work()
    until(lambda: states(connection) == {"done": 1})
    actor.send()
    until(lambda: states(connection) == {"done": 2})


def test_a_claim_of_a_process_that_others_may_have_given_up_does_not_start(broker: PostgresBroker) -> None:
    broker.declare_queue("default")
    claims, middleware = broker.process.claims["default"], Custody(broker.process)
    late, later = (Claim(message_with(), attempt=1, priority=0) for _ in range(2))
    claims.take([late, later])
    broker.pulse.beaten_at = time.monotonic() - SILENCE_SECONDS - 1
    with pytest.raises(SkipMessage):
        middleware.before_process_message(broker, late)
    assert list(claims.returned) == [late, later]


def test_a_worker_without_a_row_claims_nothing(broker: PostgresBroker, connection: Connection) -> None:
    broker.enqueue(message_with())
    assert run(connection, "SELECT * FROM dramatiq.exchange(-1, 'default', '{}', '{}', 5)") == []
    assert states(connection) == {"queued": 1}


def strand(connection: Connection, count: int) -> None:
    """Put messages there that a dead worker holds."""
    run(
        connection,
        "INSERT INTO dramatiq.queue (message_id, state, message, claimed_by, attempt)"
        " SELECT gen_random_uuid(), 'consumed', '{}', -1, 1 FROM generate_series(1, %s)",
        count,
    )


@pytest.mark.parametrize("listen", [True, False])
def test_a_pulse_that_would_wait_for_long_stops_at_once(
    broker: PostgresBroker, connection: Connection, monkeypatch: pytest.MonkeyPatch, *, listen: bool
) -> None:
    monkeypatch.setattr(pulse, "LISTEN_SECONDS", 3_600.0)
    patient = PostgresBroker(broker.pool, listen=lambda: listen, silence_seconds=10_800.0)
    patient.pulse.start_once()
    until(lambda: run(connection, "SELECT count(*) FROM dramatiq.worker") == [(1,)])
    began = time.monotonic()
    patient.pulse.stop()
    assert time.monotonic() - began < 60
    assert run(connection, "SELECT count(*) FROM dramatiq.worker") == [(0,)]
