"""The pool hands out connections that live, can write, and are this process's own."""

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import dramatiq
import psycopg2
import pytest

from db import connection as connection_module
from db.connection import Connection, Pool
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    pool = Pool(lambda: database, lambda: 4)
    yield pool
    pool.closeall()


def backend(pool: Pool) -> int:
    with pool.transaction() as conn:
        return conn.info.backend_pid


def fill(pool: Pool, count: int) -> list[int]:
    with ExitStack() as held:
        return [held.enter_context(pool.transaction()).info.backend_pid for _ in range(count)]


def test_idle_connections_that_the_server_ended_are_not_handed_out(pool: Pool, connection: Connection) -> None:
    ended = fill(pool, 3)
    run(connection, "SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) pid", ended)
    for _ in range(3):
        with pool.transaction() as conn:
            conn.cursor().execute("SELECT 1")
            assert conn.info.backend_pid not in ended


def test_a_message_is_sent_although_every_idle_connection_ended(
    environment: pytest.MonkeyPatch, pool: Pool, connection: Connection
) -> None:
    broker = PostgresBroker(pool)
    actor = dramatiq.actor(broker=broker, actor_name="sleep")(print)
    run(connection, "SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) pid", fill(pool, 3))
    actor.send()
    assert run(connection, "SELECT count(*) FROM dramatiq.queue") == [(1,)]


def test_connections_that_were_needed_once_are_given_back_to_the_server(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(pool, 4)
    kept = backend(pool)
    assert len(pool.idle) == 4
    monkeypatch.setattr(connection_module, "KEPT_SECONDS", 0)
    assert backend(pool) == kept, "the last one that was needed"
    assert [conn.info.backend_pid for conn in pool.idle] == [kept]


def test_a_connection_that_cannot_write_is_given_up(pool: Pool) -> None:
    fill(pool, 2)
    first = backend(pool)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), pool.transaction() as conn:
        conn.cursor().execute("SET TRANSACTION READ ONLY; CREATE TABLE public.none ()")
    assert not pool.idle
    assert backend(pool) != first


def ask(pool: Pool, told: "multiprocessing.SimpleQueue[int]") -> None:
    told.put(backend(pool))


def test_a_fork_opens_connections_of_its_own_and_leaves_its_parents_open(pool: Pool, connection: Connection) -> None:
    parents = fill(pool, 3)
    fork = multiprocessing.get_context("fork")
    told = fork.SimpleQueue()
    child = fork.Process(target=ask, args=(pool, told))
    child.start()
    childs = told.get()
    child.join(30)
    assert child.exitcode == 0
    assert childs not in parents
    assert sorted(fill(pool, 3)) == sorted(parents)


def test_a_connection_that_is_lent_while_the_pool_closes_is_not_kept(pool: Pool) -> None:
    with pool.transaction() as conn:
        pool.closeall()
    assert conn.closed


def counted(connection: Connection) -> int:
    [(count,)] = run(connection, "SELECT count(*) FROM dramatiq.queue")
    return int(count)


def test_a_task_sends_in_its_own_transaction_while_another_task_has_one_open(
    broker: PostgresBroker, connect: Callable[[], Connection], connection: Connection
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="noop")(print)
    other = connect()
    other.autocommit = False
    joined, sent = asyncio.Event(), asyncio.Event()

    async def undo() -> None:
        with broker.transaction(other):
            actor.send("undone")
            joined.set()
            await sent.wait()
        other.rollback()

    async def send() -> None:
        await joined.wait()
        actor.send("kept")
        sent.set()

    async def both() -> None:
        await asyncio.gather(undo(), send())

    asyncio.run(both())
    assert counted(connection) == 1


def test_a_task_that_outlives_the_block_it_was_begun_in_sends_on_its_own(
    broker: PostgresBroker, connect: Callable[[], Connection], connection: Connection
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="noop")(print)
    other = connect()
    other.autocommit = False

    async def begin() -> None:
        over = asyncio.Event()

        async def send_later() -> None:
            await over.wait()
            actor.send("kept")

        with broker.transaction(other):
            later = asyncio.create_task(send_later())
        other.rollback()
        over.set()
        await later
        other.rollback()

    asyncio.run(begin())
    assert counted(connection) == 1
