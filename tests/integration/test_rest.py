"""Who sleeps is rung for, and nobody else is; no message is slept through, whoever holds whatever lock."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import Any
from uuid import uuid4

import dramatiq
import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from db.connection import Connection
from messaging import consumer
from messaging.broker import PostgresBroker
from messaging.doorbell import Doorbell
from messaging.rest import Rest
from tests.integration.broker_cases import run, states
from tests.waiting import until

Connect = Callable[[], Connection]
ROUTE = "analytics_queue"
WAYS = pytest.mark.parametrize(
    "send",
    [f"SELECT pgmq.send('{ROUTE}', '{{}}')", "SELECT dramatiq.send('note')", "SELECT dramatiq.ring('{default}')"],
)
HOLDS = pytest.mark.parametrize("lock", ["pg_advisory_lock", "pg_advisory_lock_shared"])
SENDERS, MESSAGES = 4, 150
SILENTLY = """
    SELECT id, now() + interval '1500 milliseconds' AS soon, jsonb_build_object(
        'message_id', id, 'queue_name', 'default', 'actor_name', 'note', 'args', '[]'::jsonb, 'kwargs', '{}'::jsonb,
        'options', '{}'::jsonb, 'message_timestamp', 0) AS message
    FROM gen_random_uuid() AS id
"""


@pytest.fixture(autouse=True)
def actor(broker: PostgresBroker, connection: Connection) -> Any:
    """Of queue `default`, fed by pgmq, too."""
    made = dramatiq.actor(broker=broker, actor_name="note", pgmq_queue=ROUTE)(lambda **_: None)
    broker.publish_actors(connection, retire=True)
    return made


@pytest.fixture
def stranger(database: str, connection: Connection) -> Iterator[Connection]:
    """A login that may do nothing but connect."""
    name = f"stranger_{uuid4().hex[:12]}"
    run(connection, f"CREATE ROLE {name} LOGIN PASSWORD 'a stranger'")
    with closing(psycopg2.connect(make_dsn(database, user=name, password="a stranger"))) as conn:
        conn.set_session(autocommit=True)
        yield conn
    run(connection, f"DROP ROLE {name}")


@pytest.fixture
def asleep(broker: PostgresBroker, work: Any, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """To the database of a worker whose queues sleep, have been looked at once more, and never look for themselves."""
    monkeypatch.setattr(consumer, "ASLEEP_SECONDS", (3_600.0, 3_600.0))
    run(connection, "ALTER TABLE pgmq.q_analytics_queue DISABLE TRIGGER ring")
    broker.declare_queue("another")
    work()
    until(lambda: set(broker.pulse.rest.asleep) == {"default", "another"})
    until(lambda: not broker.process.claims["default"].rung)
    return connection


def rings(connect: Connect, send: str) -> bool:
    """Whether something that is sent now rings the bell of queue `default`."""
    bell, ear, sender = Doorbell(), connect(), connect()
    bell.listen(ear, ["default"])
    run(sender, send)
    bell.try_out(sender)  # which is heard after whatever was rung before
    heard: set[str] = set()

    def tried() -> bool:
        heard.update(bell.rung(ear))
        return bell.heard == 1

    until(tried, "the trial is heard")
    return heard == {"default"}


@WAYS
def test_a_bell_rings_while_somebody_sleeps_and_not_otherwise(connect: Connect, send: str) -> None:
    rest, other, first, second = Rest(), Rest(), connect(), connect()
    assert not rings(connect, send)
    assert rest.turn(first, {"default"}) == {"default"}, "it is to be looked at once more"
    assert other.turn(second, {"default", "tea"}) == {"default", "tea"}
    assert rings(connect, send)
    rest.turn(first, set())
    assert rings(connect, send), "the other sleeps still"
    other.turn(second, {"tea"})
    assert not rings(connect, send)


@WAYS
def test_whoever_dies_asleep_is_rung_for_no_more(connect: Connect, connection: Connection, send: str) -> None:
    sleeper = connect()
    Rest().turn(sleeper, {"default"})
    assert rings(connect, send)
    pid = sleeper.info.backend_pid
    sleeper.close()
    until(lambda: not run(connection, "SELECT FROM pg_stat_activity WHERE pid = %s", pid))
    assert not rings(connect, send)


def test_what_was_sent_before_somebody_fell_asleep_is_looked_for_when_it_is_committed(connect: Connect) -> None:
    rest, sleeper, sender, late = Rest(), connect(), connect(), connect()
    for conn in (sender, late):
        run(conn, "BEGIN")
    run(sender, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
    assert rest.turn(sleeper, {"default"}) == {"default"}
    run(late, f"SELECT pgmq.send('{ROUTE}', '{{}}')")  # this one rings
    assert [rest.turn(sleeper, {"default"}) for _ in range(3)] == [set()] * 3
    run(sender, "COMMIT")
    assert rest.turn(sleeper, {"default"}) == {"default"}
    assert rest.turn(sleeper, {"default"}) == set()
    run(late, "COMMIT")


def test_who_waits_for_a_senders_end_asks_ever_more_rarely_and_who_waits_for_none_not_at_all(connect: Connect) -> None:
    rest, sleeper, sender = Rest(), connect(), connect()
    longest = rest.seconds
    run(sender, "BEGIN")
    run(sender, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
    pauses = [rest.seconds for _ in range(20) if rest.turn(sleeper, {"default"}) is not None]
    assert pauses == sorted(pauses)
    assert (pauses[0] < longest / 100, pauses[-1]) == (True, longest)
    rest.turn(sleeper, set())
    rest.turn(sleeper, {"tea"})
    assert rest.seconds < longest / 100
    run(sender, "COMMIT")
    rest.turn(sleeper, {"tea"})
    assert rest.seconds == longest


@WAYS
@HOLDS
def test_a_stranger_who_holds_the_bells_silences_nobody_and_holds_up_nobody(
    connect: Connect, connection: Connection, stranger: Connection, send: str, lock: str
) -> None:
    bells = [bell for (bell,) in run(connection, "SELECT * FROM dramatiq.bells_of('default')")]
    for bell in bells:
        run(stranger, f"SELECT {lock}(%s)", bell)
    assert rings(connect, send), "for all that senders know, somebody sleeps"
    rest, sleeper = Rest(), connect()
    rest.turn(sleeper, {"default"})
    assert bool(rest.asleep) is lock.endswith("shared")
    assert rings(connect, send)
    run(stranger, "SELECT pg_advisory_unlock_all()")
    rest.turn(sleeper, {"default"})
    assert rings(connect, send)
    rest.turn(sleeper, set())
    assert not rings(connect, send), "what it could not hold alone is held no more"


def test_a_worker_asleep_is_woken_though_a_stranger_holds_its_bells(
    broker: PostgresBroker,
    actor: Any,
    work: Any,
    *,
    connection: Connection,
    stranger: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer, "POLL_SECONDS", (3_600.0, 3_600.0))
    for (bell,) in run(connection, "SELECT * FROM dramatiq.bells_of('default')"):
        run(stranger, "SELECT pg_advisory_lock(%s)", bell)
    work()
    until(lambda: broker.process.claims["default"].appetite.idle)
    for number in range(1, 6):
        actor.send()
        until(lambda: states(connection) == {"done": number})  # noqa: B023 - asked in this round


def test_a_worker_that_fell_asleep_over_an_open_transaction_wakes_at_its_commit(
    broker: PostgresBroker, work: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "POLL_SECONDS", (3_600.0, 3_600.0))
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


def test_no_message_is_slept_through(
    broker: PostgresBroker, actor: Any, work: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many senders at every pace, some of whom commit late, and two workers who look only when they are rung for."""
    monkeypatch.setattr(consumer, "POLL_SECONDS", (3_600.0, 3_600.0))
    second = PostgresBroker(broker.pool)
    dramatiq.actor(broker=second, actor_name="note", pgmq_queue=ROUTE)(lambda **_: None)
    another = dramatiq.Worker(second, worker_timeout=100, worker_threads=2)
    another.start()
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

    try:
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(send, range(SENDERS)))
        watcher = connect()
        until(lambda: states(watcher) == {"done": SENDERS * MESSAGES})
    finally:
        another.stop()
        second.close()
