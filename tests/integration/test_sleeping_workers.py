"""No message is slept through by a worker that sleeps, and one message wakes one of them."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import dramatiq
import pytest

from db.connection import Connection
from messaging import consumer
from messaging.appetite import STREAM_SECONDS
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.integration.rest_cases import HOLDS, ROUTE, Connect, actor, rings, stranger
from tests.waiting import until

SENDERS, MESSAGES = 4, 150
SILENTLY = """
    SELECT id, now() + interval '1500 milliseconds' AS soon, jsonb_build_object(
        'message_id', id, 'queue_name', 'default', 'actor_name', 'note', 'args', '[]'::jsonb, 'kwargs', '{}'::jsonb,
        'options', '{}'::jsonb, 'message_timestamp', 0) AS message
    FROM gen_random_uuid() AS id
"""
__all__ = ["actor", "stranger"]


@pytest.fixture
def another(broker: PostgresBroker, request: pytest.FixtureRequest) -> Iterator[PostgresBroker]:
    """Another worker's; it has as many threads as its test says: one, or two."""
    second = PostgresBroker(broker.pool)
    dramatiq.actor(broker=second, actor_name="note", pgmq_queue=ROUTE)(lambda **_: None)
    worker = dramatiq.Worker(second, worker_timeout=100, worker_threads=getattr(request, "param", 2))
    worker.start()
    yield second
    worker.stop()
    second.pulse.stop()


@pytest.fixture
def asleep(broker: PostgresBroker, work: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """To the database of a worker whose queues sleep, have been looked at once more, and never look for themselves."""
    monkeypatch.setattr(consumer, "REST_SECONDS", (3_600.0, 3_600.0))
    run(connection, "ALTER TABLE pgmq.q_analytics_queue DISABLE TRIGGER ring")
    broker.declare_queue("another")
    work()
    until(lambda: set(broker.pulse.rest.asleep) == {"default", "another"})
    until(lambda: not broker.process.claims["default"].rung)
    return connection


def never_look(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    """Let workers look only when they are told to, or when nothing but these kinds of looks is left."""
    for seconds in kinds or ("POLL_SECONDS", "LOOK_SECONDS", "REST_SECONDS"):
        monkeypatch.setattr(consumer, seconds, (3_600.0, 3_600.0))


@HOLDS
def test_what_is_sent_while_a_stranger_holds_the_bells_is_found_in_the_next_look(
    broker: PostgresBroker,
    actor: Any,
    work: Any,
    *,
    connection: Connection,
    stranger: Connection,
    lock: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never_look(monkeypatch, "POLL_SECONDS", "REST_SECONDS")
    for (bell,) in run(connection, "SELECT * FROM dramatiq.bells_of('default')"):
        run(stranger, f"SELECT {lock}(%s)", bell)
    work()
    until(lambda: broker.pulse.rest.standing_by == {"default"})
    for number in range(1, 4):
        actor.send()
        until(lambda: states(connection) == {"done": number})  # noqa: B023 - asked in this round


def test_a_worker_that_fell_asleep_over_an_open_transaction_wakes_at_its_commit(
    broker: PostgresBroker, work: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_look(monkeypatch)
    sender, watcher = connect(), connect()
    run(sender, "BEGIN")
    run(sender, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
    work()
    until(lambda: "default" in broker.pulse.rest.unseen, "it sleeps, and has seen what it must wait for")
    run(sender, "COMMIT")
    until(lambda: states(watcher) == {"done": 1})


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("dramatiq.queue", "message_id, state, message", "id, 'queued', message"),
        ("dramatiq.queue", "message_id, state, message, waits_for", "id, 'queued', message, 'note'"),
        ("dramatiq.queue", "message_id, state, message, delayed, available_at", "id, 'queued', message, true, soon"),
        ("pgmq.q_analytics_queue", "vt, message", "now(), '{}'"),
        ("pgmq.q_analytics_queue", "vt, message", "soon, '{}'"),
    ],
)
def test_what_nobody_rang_for_is_found_in_the_look_for_all_that_sleep(
    asleep: Connection, table: str, columns: str, values: str
) -> None:
    run(asleep, f"INSERT INTO {table} ({columns}) SELECT {values} FROM ({SILENTLY}) AS sent")
    until(lambda: states(asleep) == {"done": 1})


def test_a_paused_queue_is_looked_at_when_its_pause_ends(connection: Connection) -> None:
    run(connection, "SELECT dramatiq.send('note')")
    asked = "SELECT queue_name, seconds > 50 FROM dramatiq.news(0, '{default, another}')"
    assert run(connection, asked) == [("default", False)]
    run(connection, "SELECT dramatiq.pause_queue('default', now() + interval '1 minute', 'anna', 'a test')")
    assert run(connection, asked) == [("default", True)]
    run(connection, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
    assert run(connection, asked) == [("default", False)], "what waits in pgmq comes over all the same"


def test_a_queue_that_no_pgmq_queue_feeds_is_looked_at_with_the_others(
    broker: PostgresBroker, connection: Connection
) -> None:
    dramatiq.actor(broker=broker, actor_name="plain", queue_name="plain")(lambda: None)
    broker.publish_actors(connection, retire=True)
    asked = "SELECT queue_name, seconds FROM dramatiq.news(0, '{plain, default}')"
    assert run(connection, asked) == []
    run(connection, "SELECT dramatiq.send('plain')")
    until(lambda: run(connection, asked) == [("plain", 0)])  # a twentieth of the time goes into looks


def test_where_the_look_for_all_fails_each_queue_looks_for_itself(asleep: Connection) -> None:
    run(asleep, "ALTER FUNCTION dramatiq.news RENAME TO olds")
    run(
        asleep,
        f"INSERT INTO dramatiq.queue (message_id, state, message) SELECT id, 'queued', message FROM ({SILENTLY}) s",
    )
    until(lambda: states(asleep) == {"done": 1})


def test_a_worker_sleeps_while_it_has_nothing_to_do_and_not_while_it_could_take_nothing(
    broker: PostgresBroker, connect: Connect, work: Any
) -> None:
    over, begun = Event(), Event()

    def last() -> None:
        begun.set()
        over.wait(60)

    long = dramatiq.actor(broker=broker, actor_name="last")(last)
    worker = work(threads=1)
    until(lambda: rings(connect, "SELECT dramatiq.ring('{default}')"), "it sleeps")
    long.send()
    assert begun.wait(60)
    until(lambda: not rings(connect, "SELECT dramatiq.ring('{default}')"), "its thread is busy")
    over.set()
    until(lambda: rings(connect, "SELECT dramatiq.ring('{default}')"), "it sleeps again")
    worker.stop()
    broker.pulse.stop()
    assert not rings(connect, "SELECT dramatiq.ring('{default}')")


def test_a_message_wakes_one_of_those_who_sleep(
    broker: PostgresBroker,
    another: PostgresBroker,
    actor: Any,
    *,
    work: Any,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never_look(monkeypatch)
    work()
    both = (broker, another)
    until(lambda: all(each.pulse.rest.queues == {"default"} and not each.pulse.rest.unseen for each in both))
    until(lambda: sum(bool(each.pulse.rest.asleep) for each in both) == 1, "one has the bells")
    (standing,) = (each for each in both if each.pulse.rest.standing_by)
    appetite = standing.process.claims["default"].appetite
    looks, paused = set(), Event()
    for number in range(1, 21):
        paused.wait(4 * STREAM_SECONDS)  # in a stream whoever works holds no bell, and another may take it
        actor.send()
        until(lambda: states(connection) == {"done": number})  # noqa: B023 - asked in this round
        looks.add(appetite.exchanged_at)
    assert len(looks) <= 2, "one look may be due since it stands by, and none for each message"


@pytest.mark.parametrize("another", [1], indirect=True)
def test_who_has_no_thread_left_passes_what_comes_on(
    broker: PostgresBroker,
    another: PostgresBroker,
    *,
    work: Any,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two messages that wait for each other run at two workers of one thread each, however often."""
    never_look(monkeypatch)
    both = Barrier(2)

    def meet() -> None:
        both.wait(60)

    actor = dramatiq.actor(broker=broker, actor_name="meet", max_retries=0)(meet)
    dramatiq.actor(broker=another, actor_name="meet", max_retries=0)(meet)
    work(threads=1)
    until(lambda: all(each.pulse.rest.queues == {"default"} for each in (broker, another)))
    for number in range(1, 6):
        actor.send()
        actor.send()
        until(lambda: states(connection) == {"done": 2 * number})  # noqa: B023 - asked in this round


@pytest.mark.usefixtures("another")
def test_no_message_is_slept_through(actor: Any, work: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many senders at every pace, some of whom commit late, and two workers who look only when they are rung for."""
    never_look(monkeypatch)
    work(threads=2)
    paused = Event()

    def send(number: int) -> None:
        chance, conn = random.Random(number), connect()
        for _ in range(MESSAGES):
            if chance.random() < 0.5:
                actor.send()
            else:
                run(conn, "BEGIN")
                run(conn, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
                paused.wait(chance.choice([0, 0.003, 0.02]))
                run(conn, "COMMIT")
            paused.wait(chance.choice([0, 0, 0.001, 0.005, 0.006, 0.008, 0.02]))

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(SENDERS)))
    watcher = connect()
    until(lambda: states(watcher) == {"done": SENDERS * MESSAGES})
