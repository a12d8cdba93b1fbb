"""A pool and its workers find the server that takes writes, wherever it is now."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from db import queries
from db.connection import Pool
from db.migrate import BROKER, migrate, pending
from errors import DatabaseError
from tests.faults.crew import Crew, Office
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer
from tests.waiting import until


@pytest.fixture
def primary() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        yield server


@pytest.fixture
def standby(primary: OwnServer) -> Iterator[OwnServer]:
    with primary.standby() as server:
        yield server


def both(first: OwnServer, second: OwnServer) -> str:
    hosts = ",".join(parse_dsn(server.url)["host"] for server in (first, second))
    return f"postgresql://postgres@/postgres?host={hosts}"


def write(pool: Pool) -> str:
    with pool.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS public.written (at timestamptz)")
        cursor.execute("INSERT INTO public.written VALUES (now())")
        return str(conn.info.host)


def test_several_hosts_lead_to_the_primary_for_migrations_and_pools(primary: OwnServer, standby: OwnServer) -> None:
    url = both(standby, primary)
    assert migrate(url)
    assert pending(url) == []
    pool = Pool(lambda: url, lambda: 2)
    assert write(pool) == parse_dsn(primary.url)["host"]
    pool.closeall()


def test_a_pool_that_holds_connections_to_a_standby_finds_the_primary(primary: OwnServer, standby: OwnServer) -> None:
    addresses = [standby.url]
    pool = Pool(lambda: addresses[0], lambda: 2)
    with pool.transaction() as conn, conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    addresses[0] = primary.url
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        write(pool)
    assert write(pool) == parse_dsn(primary.url)["host"]
    pool.closeall()


def test_a_pool_waits_for_the_promotion_and_then_writes(primary: OwnServer, standby: OwnServer) -> None:
    pool = Pool(lambda: both(primary, standby), lambda: 2)
    assert write(pool) == parse_dsn(primary.url)["host"]
    with primary.away():
        with pytest.raises((psycopg2.Error, DatabaseError)):
            write(pool)
        standby.promote()
        assert write(pool) == parse_dsn(standby.url)["host"]
    pool.closeall()


def test_a_standby_that_takes_over_is_no_restored_database(primary: OwnServer) -> None:
    migrate(primary.url)
    with primary.standby() as standby, primary.away():
        standby.promote()
        pool = Pool(lambda: standby.url, lambda: 1)
        with pool.transaction() as conn:
            assert queries.deliveries.notice_restore(conn) is False
            assert queries.deliveries.note_restore(conn, restored_to=None)  # it takes writes
        pool.closeall()


def test_what_a_worker_holds_through_a_failover_ends_at_the_new_primary(
    primary: OwnServer, standby: OwnServer, tmp_path: Path
) -> None:
    migrate(primary.url, [BROKER])
    office = Office(both(primary, standby), tmp_path)
    office.side_door = standby.url
    crew = Crew(office)
    actors = ("finish_after_gate", "retry_after_gate", "fail_after_gate", "pipe_after_gate")
    successor = office.message("count", 1).asdict()
    try:
        worker = crew.hire(threads=4)
        for actor in actors:
            options: dict[str, Any] = {"pipe_target": successor} if "pipe" in actor else {}
            office.send(actor, actor, max_retries=1, **options)
        until(lambda: office.states() == {"consumed": 4}, "it runs all four, and the standby knows")
        with primary.away():
            gate = office.open_gate()
            until(lambda: {*actors} <= {*worker.did()}, "they end while no server takes writes")
            until(lambda: "database_lost" in office.logged(), "the worker notices")
            standby.promote()
            office.send("count", 2)
            until(lambda: office.states() == {"done": 4, "rejected": 2}, "each has its end at the new primary")
            os.close(gate)
            worker.kill()
        did = Counter(worker.did())
        assert {actor: did[actor] for actor in actors} == {actor: 1 + (actor == "retry_after_gate") for actor in actors}
        assert did["1"] == did["2"] == 1
    finally:
        crew.dismiss()
        office.broker.close()
