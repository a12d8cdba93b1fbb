"""A pool and its workers find the server that takes writes, wherever it is now."""

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from db import queries
from db.connection import Pool
from db.migrate import migrate, pending
from errors import DatabaseError
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer


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
