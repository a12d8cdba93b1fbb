"""What the tests of Dramatiq's own brokers ask of a broker, asked of ours."""

import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.errors import QueueJoinTimeout, QueueNotFound, RateLimitExceeded

from db.connection import Connection
from db.database import pool
from errors import SettingsError
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until

Work = Callable[..., dramatiq.Worker]


def test_messages_of_many_queues_run_in_one_worker(broker: PostgresBroker, work: Work) -> None:
    seen: list[str] = []
    names = [f"queue-{number}" for number in range(8)]
    for name in names:
        dramatiq.actor(broker=broker, actor_name=name, queue_name=name)(seen.append)
    work(threads=2)
    for name in names:
        broker.actors[name].send(name)
    for name in names:
        broker.join(name, timeout=PATIENCE)
    assert sorted(seen) == names


def test_an_actor_declared_after_the_worker_started_is_served(broker: PostgresBroker, work: Work) -> None:
    work()
    seen: list[int] = []
    late = dramatiq.actor(broker=broker, actor_name="late", queue_name="late")(seen.append)
    late.send(1)
    broker.join("late", timeout=PATIENCE)
    assert seen == [1]


def test_a_worker_may_serve_some_queues_only(broker: PostgresBroker, connection: Connection) -> None:
    mine = dramatiq.actor(broker=broker, actor_name="mine", queue_name="mine")(print)
    other = dramatiq.actor(broker=broker, actor_name="other", queue_name="other")(print)
    mine.send()
    other.send()
    worker = dramatiq.Worker(broker, queues=["mine"], worker_timeout=100)
    worker.start()
    broker.join("mine", timeout=PATIENCE)
    worker.stop()
    assert run(connection, "SELECT queue_name FROM dramatiq.queue WHERE state = 'queued'") == [("other",)]


def test_a_broker_may_have_one_worker_after_another(broker: PostgresBroker, work: Work) -> None:
    seen: list[int] = []
    note = dramatiq.actor(broker=broker, actor_name="note")(seen.append)
    for number in range(3):
        worker = work()
        note.send(number)
        broker.join("default", timeout=PATIENCE)
        worker.stop()
    assert seen == [0, 1, 2]


def test_arguments_that_an_actor_spoilt_do_not_keep_its_failure_from_being_stored(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker, max_retries=1, min_backoff=1, max_backoff=1)
    def spoil(words: list[str]) -> None:
        words.append("\x00")
        raise ValueError("no such luck")

    spoil.send(["sound"])
    work()
    broker.join("default", timeout=PATIENCE)
    [(error, message)] = run(connection, "SELECT error, message FROM dramatiq.dead_letter")
    assert error.endswith("ValueError: no such luck")
    assert message["args"] == [["sound"]]


def test_a_paused_worker_runs_nothing_until_it_resumes(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    seen: list[int] = []
    note = dramatiq.actor(broker=broker, actor_name="note")(seen.append)
    worker = work()
    worker.pause()
    note.send(1)
    assert states(connection) == {"queued": 1}
    worker.resume()
    broker.join("default", timeout=PATIENCE)
    assert seen == [1]


def test_join_gives_up_after_its_timeout_and_knows_its_queues(broker: PostgresBroker) -> None:
    dramatiq.actor(broker=broker, actor_name="note")(print).send()
    with pytest.raises(QueueJoinTimeout):
        broker.join("default", timeout=100)
    with pytest.raises(QueueNotFound):
        broker.join("nowhere")
    with pytest.raises(QueueNotFound):
        broker.consume("nowhere")
    with pytest.raises(QueueNotFound):
        broker.flush("nowhere")


def test_flush_drops_the_messages_of_one_queue_and_flush_all_those_of_all(
    broker: PostgresBroker, connection: Connection
) -> None:
    for name in ("one", "two", "three"):
        dramatiq.actor(broker=broker, actor_name=name, queue_name=name)(print).send()
    broker.actors["one"].send_with_options(delay=PATIENCE)
    broker.flush("one")
    assert sorted(run(connection, "SELECT queue_name FROM dramatiq.queue")) == [("three",), ("two",)]
    broker.flush_all()
    assert states(connection) == {}


def test_a_message_older_than_its_age_limit_becomes_a_dead_letter(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    ran: list[int] = []
    note = dramatiq.actor(broker=broker, actor_name="note", max_age=1)(ran.append)
    note.send_with_options(args=(1,), delay=50)
    work()
    broker.join("default", timeout=PATIENCE)
    assert states(connection) == {"rejected": 1}
    assert ran == []


def test_an_actor_over_its_time_limit_is_interrupted_and_given_up(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker, time_limit=100, max_retries=0)
    def linger() -> None:
        for _ in range(PATIENCE):
            time.sleep(0.001)  # back in Python every moment, where the limit can interrupt

    broker.emit_after("process_boot")  # as the command does: from then on the limit is watched
    linger.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert "TimeLimitExceeded" in run(connection, "SELECT error FROM dramatiq.dead_letter")[0][0]


def test_callbacks_follow_success_and_failure(broker: PostgresBroker, work: Work) -> None:
    heard: list[Any] = []

    @dramatiq.actor(broker=broker)
    def succeeded(message: dict[str, Any], result: int) -> None:
        heard.append(("succeeded", message["actor_name"], result))

    @dramatiq.actor(broker=broker)
    def failed(message: dict[str, Any], error: dict[str, str]) -> None:
        heard.append(("failed", message["actor_name"], error["type"]))

    @dramatiq.actor(broker=broker, max_retries=0)
    def halve(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number // 2

    for number in (6, 7):
        halve.send_with_options(args=(number,), on_success=succeeded, on_failure=failed)
    work()
    until(lambda: len(heard) == 2)
    assert sorted(heard) == [("failed", "halve", "ValueError"), ("succeeded", "halve", 3)]


def test_an_actor_is_told_when_retries_are_exhausted(broker: PostgresBroker, work: Work) -> None:
    told: list[Any] = []

    @dramatiq.actor(broker=broker)
    def bury(message: dict[str, Any], retries: dict[str, int]) -> None:
        told.append((message["args"], retries))

    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=1, max_backoff=2, on_retry_exhausted="bury")
    def fail(number: int) -> None:
        raise ValueError(number)

    fail.send(7)
    work()
    until(lambda: bool(told))
    assert told == [([7], {"retries": 2, "max_retries": 2})]


def test_a_rate_limited_failure_is_retried_and_not_logged_as_one(
    broker: PostgresBroker, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    @dramatiq.actor(broker=broker, min_backoff=1, max_backoff=2)
    def limited() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RateLimitExceeded("full")

    limited.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert len(tries) == 2
    assert "unhandled exception" not in caplog.text


def test_a_worker_that_failed_often_keeps_working(broker: PostgresBroker, work: Work, connection: Connection) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def fail(number: int) -> None:
        raise ValueError(number)

    broker.enqueue_many([fail.message(number) for number in range(500)])
    work(threads=8)
    broker.join("default", timeout=PATIENCE)
    assert states(connection) == {"rejected": 500}


def test_a_bridged_message_of_higher_priority_goes_first(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    seen: list[int] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(number: int, **_: Any) -> None:
        seen.append(number)

    for number, priority in enumerate([0, 5, -3, 9, 0, 9]):
        run(
            connection,
            "SELECT pgmq.send('analytics_queue', %s::jsonb)",
            f'{{"number": {number}, "priority": {priority}}}',
        )
    work(threads=1)
    until(lambda: len(seen) == 6)
    assert seen == [3, 5, 1, 0, 4, 2]


def test_many_messages_of_one_transaction_ring_once(broker: PostgresBroker, connect: Callable[[], Connection]) -> None:
    listener, caller = connect(), connect()
    caller.autocommit = False
    note = dramatiq.actor(broker=broker, actor_name="note")(print)
    run(listener, 'LISTEN "dramatiq.default.enqueue"')
    run(listener, "SELECT dramatiq.fall_asleep('{default}')")
    with broker.transaction(caller):
        for number in range(50):
            note.send(number)
        broker.enqueue_many([note.message(number) for number in range(50)])
    caller.commit()
    until(lambda: not listener.poll() and bool(listener.notifies))
    run(listener, "SELECT 1")
    assert [(notice.channel, notice.payload) for notice in listener.notifies] == [("dramatiq.default.enqueue", "")]


def test_a_message_may_be_sent_before_any_worker_knows_its_actor(broker: PostgresBroker, work: Work) -> None:
    message: dramatiq.Message[Any] = dramatiq.Message(
        queue_name="default", actor_name="note", args=(1,), kwargs={}, options={}
    )
    sender = PostgresBroker(pool)
    sender.enqueue(message)
    seen: list[int] = []
    dramatiq.actor(broker=broker, actor_name="note")(seen.append)
    work()
    broker.join("default", timeout=PATIENCE)
    assert seen == [1]


@pytest.mark.parametrize("name", ["", "a b", "кто", "a'b", "a;b", "x" * 47])
def test_a_queue_name_that_a_channel_cannot_carry_is_refused(broker: PostgresBroker, name: str) -> None:
    with pytest.raises(ValueError, match="Queue name"):
        broker.declare_queue(name)


@pytest.mark.parametrize("name", ["a b", "a'b", "a--b", "a$b", "Mail", "x" * 48])
def test_a_route_from_a_queue_that_pgmq_cannot_carry_is_refused(broker: PostgresBroker, name: str) -> None:
    with pytest.raises(SettingsError, match="pgmq queue name"):
        dramatiq.actor(broker=broker, actor_name="note", pgmq_queue=name)(print)


def test_a_queue_takes_one_route(broker: PostgresBroker) -> None:
    dramatiq.actor(broker=broker, actor_name="one", pgmq_queue="email_queue")(print)
    with pytest.raises(SettingsError, match="has a route already"):
        dramatiq.actor(broker=broker, actor_name="two", pgmq_queue="analytics_queue")(print)
