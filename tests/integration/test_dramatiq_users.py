"""What Dramatiq's users do with a broker: it works here as there, or is refused by name (docs/dramatiq.md)."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
import pytest
from dramatiq.broker import MessageProxy
from dramatiq.errors import Retry
from dramatiq.middleware import AgeLimit, Callbacks, GroupCallbacks, Pipelines, Retries, TimeLimit
from dramatiq.rate_limits import Barrier
from dramatiq.results import Results

from db.connection import Connection
from db.database import pool
from errors import DeadLettered, InvalidMessage
from messaging.broker import PostgresBroker
from messaging.limits import PostgresLimits
from messaging.results import PostgresResults
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until


def test_a_broker_is_made_of_an_address_and_middleware_as_django_dramatiq_makes_one(
    database: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/elsewhere")
    seen: list[int] = []
    broker = PostgresBroker(url=database, middleware=[AgeLimit(), TimeLimit(), Callbacks(), Pipelines(), Retries()])
    actor = dramatiq.actor(broker=broker, actor_name="note")(seen.append)
    actor.send(1)
    worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=2)
    worker.start()
    try:
        broker.join("default", timeout=PATIENCE)
    finally:
        worker.stop()
        broker.close()
    assert seen == [1]
    assert not [each for each in broker.middleware if isinstance(each, Results | GroupCallbacks)]


@pytest.mark.parametrize("wrong", [{}, {"pool": pool, "url": "postgresql:///x"}, {"pool": object()}])
def test_a_broker_of_no_pool_two_or_another_kind_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"(?i)pool"):
        PostgresBroker(**wrong)


def test_group_callbacks_added_as_dramatiqs_docs_say_fire_once_after_all_members(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker]
) -> None:
    seen: list[str] = []
    broker.add_middleware(GroupCallbacks(PostgresLimits(pool)))
    member = dramatiq.actor(broker=broker, actor_name="member")(seen.append)
    over = dramatiq.actor(broker=broker, actor_name="over")(seen.append)
    group = dramatiq.group([member.message(str(number)) for number in range(8)], broker=broker)
    group.add_completion_callback(over.message("over"))
    group.run()
    work(threads=1)
    broker.join("default", timeout=PATIENCE)
    assert sorted(seen[:8]) == [str(number) for number in range(8)]
    assert seen[8:] == ["over"]


@pytest.mark.parametrize(
    "middleware",
    [
        Retries(max_retries=0),
        Callbacks(),
        Pipelines(),
        Results(backend=PostgresResults(pool)),
    ],
    ids=lambda middleware: type(middleware).__name__,
)
def test_one_more_of_a_built_in_kind_takes_its_place(broker: PostgresBroker, middleware: dramatiq.Middleware) -> None:
    kinds = [type(each) for each in broker.middleware]
    broker.add_middleware(middleware)
    assert [type(each) for each in broker.middleware] == kinds
    assert middleware in broker.middleware


class Rot13(dramatiq.JSONEncoder):
    """An encoder of a user's own."""


@pytest.fixture(params=[dramatiq.PickleEncoder, Rot13])
def encoder(request: pytest.FixtureRequest) -> Iterator[type]:
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(request.param())
    yield request.param
    dramatiq.set_encoder(before)


def test_another_encoder_is_refused_by_name_when_something_is_sent(broker: PostgresBroker, encoder: type) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    with pytest.raises(InvalidMessage, match=encoder.__name__):
        actor.send(1)


def test_a_unique_key_that_only_sql_knows_is_refused_by_name(broker: PostgresBroker, connection: Connection) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    with pytest.raises(InvalidMessage, match="unique_key"):
        actor.send_with_options(args=(1,), unique_key="letter 1")
    assert states(connection) == {}


def test_join_tells_of_a_dead_letter_where_it_is_asked_to_and_flush_drops_it(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker], connection: Connection
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def fail() -> None:
        raise ValueError("no such luck")

    message = fail.send()
    work()
    broker.join("default", timeout=PATIENCE)
    with pytest.raises(DeadLettered, match=rf"(?s){message.message_id} for fail.*no such luck"):
        broker.join("default", fail_fast=True, timeout=PATIENCE)
    broker.flush_all()
    assert states(connection) == {}
    broker.join("default", fail_fast=True, timeout=PATIENCE)


@pytest.mark.parametrize("end", ["ack", "nack"])
def test_the_end_of_a_foreign_message_changes_nothing(broker: PostgresBroker, connection: Connection, end: str) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    message = actor.send(1)
    consumer = broker.consume("default", timeout=100)
    try:
        getattr(consumer, end)(MessageProxy(message))
    finally:
        consumer.close()
    assert states(connection) == {"queued": 1}


def test_a_retry_comes_at_the_time_that_it_asks_for(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker]
) -> None:
    """Ten times, for by chance a poll may come just then; half a second late each, they would take six seconds."""
    ran_at: list[float] = []

    @dramatiq.actor(broker=broker, max_retries=None)
    def again() -> None:
        ran_at.append(time.monotonic())
        if len(ran_at) <= 10:
            raise Retry(delay=100)

    again.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert 1.0 <= ran_at[-1] - ran_at[0] < 3.0


@pytest.mark.parametrize("through_pgmq", [False, True])
def test_a_delayed_message_comes_at_its_time_to_an_idle_worker(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker], connection: Connection, through_pgmq: bool
) -> None:
    """Several, one after the other; each half a second late, by a poll, they would be two seconds late together."""
    ran_at: list[float] = []
    note: Any = dramatiq.actor(broker=broker, actor_name="note", pgmq_queue="analytics_queue")(
        lambda **_: ran_at.append(time.monotonic())
    )
    broker.publish_actors(connection, retire=True)
    work()
    late = 0.0
    for number in range(4):
        sent_at, delay = time.monotonic(), 1.0
        if through_pgmq:
            run(connection, "SELECT pgmq.send('analytics_queue', '{}', 1)")
        else:
            note.send_with_options(delay=1000 * delay)
        until(lambda: len(ran_at) > number)  # noqa: B023 - it is asked in this round
        late += ran_at[-1] - sent_at - delay
    assert 0 <= late < 1.2


class Diary(dramatiq.Middleware):
    """Does nothing by its class."""


@pytest.mark.parametrize("appended", [True, False])
def test_a_hook_counts_that_is_set_on_an_object_or_appended_to_the_list(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker], appended: bool
) -> None:
    seen: list[str] = []
    diary: Any = Diary()
    actor = dramatiq.actor(broker=broker, actor_name="note")(str)
    if not appended:
        broker.add_middleware(diary)
    actor.send(0)  # the broker has asked by now who listens
    hooks = ["before_enqueue", "after_enqueue", "before_process_message", "after_process_message", "after_ack"]
    for hook in hooks:
        setattr(diary, hook, lambda *_arguments, hook=hook, **_options: seen.append(hook))
    if appended:
        broker.middleware.append(diary)
    actor.send(1)
    broker.enqueue(actor.message(2))
    work(threads=1)
    broker.join("default", timeout=PATIENCE)
    assert {hook: seen.count(hook) for hook in hooks} == dict(zip(hooks, [2, 2, 3, 3, 3], strict=True))


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, lambda *_: None])
def test_a_program_with_a_worker_in_it_keeps_its_own_signals(broker: PostgresBroker, handler: Any) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        for number in before:
            signal.signal(number, handler)
        broker.emit_after("process_boot")
        assert {number: signal.getsignal(number) for number in before} == dict.fromkeys(before, handler)
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def test_a_barrier_opens_soon_after_its_last_party(environment: pytest.MonkeyPatch) -> None:
    """The best of twenty, for a busy machine: looks 50 ms apart would each be late by what is left of these."""
    limits = PostgresLimits(pool)
    late = []
    for number in range(20):
        barrier = Barrier(limits, f"barrier {number}")
        barrier.create(parties=2)
        with ThreadPoolExecutor(1) as thread:
            last = thread.submit(_pass, barrier)
            assert barrier.wait(timeout=PATIENCE)
            late.append(time.monotonic() - last.result())
    assert min(late) < 0.025


def _pass(barrier: Barrier) -> float:
    """Be the last party, some milliseconds after the first; when that was."""
    time.sleep(0.003)
    barrier.wait(block=False)
    return time.monotonic()
