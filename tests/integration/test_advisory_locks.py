"""Whoever may log in can hold any advisory lock: only migrate waits for one, says for whom, and ends.

Bells are such locks, too, but nobody waits for one (test_rest.py).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from db.connection import Connection
from db.migrate import migrate
from db.turn import LOCK
from errors import DatabaseError
from tests.clinic import Clinic
from tests.waiting import WAITS_HERE, until

WAITING = r"pg_advisory_(xact_)?lock"
WAITERS = """
    SELECT proname FROM pg_proc
    WHERE pronamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace, 'public'::regnamespace)
      AND (prosrc ~ %s OR pg_get_functiondef(oid) ~ %s) AND prokind = 'f'
"""


@pytest.fixture
def visitor(database: str, connection: Connection) -> Iterator[Connection]:
    """A login that may do nothing but connect, and holds the lock by which migrate takes turns."""
    clinic, name = Clinic(connection), f"visitor_{uuid4().hex[:12]}"
    clinic.rows(f"CREATE ROLE {name} LOGIN PASSWORD 'a visitor'")
    with closing(psycopg2.connect(make_dsn(database, user=name, password="a visitor"))) as conn:
        conn.set_session(autocommit=True)
        with conn.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield conn
    clinic.rows(f"DROP ROLE {name}")


def test_no_function_of_ours_waits_for_a_lock_that_a_visitor_may_hold(undone: Connection) -> None:
    assert Clinic(undone).rows(WAITERS, WAITING, WAITING) == []


def test_migrate_says_which_visitor_is_in_its_way_and_gives_up(
    visitor: Connection, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        DatabaseError, match=rf"process {visitor.info.backend_pid} .*may not migrate.*terminate_backend"
    ):
        migrate(database, patience_seconds=0.1)
    with caplog.at_level("INFO"), ThreadPoolExecutor(1) as thread:
        migration = thread.submit(migrate, database)
        until(lambda: f"process {visitor.info.backend_pid}" in caplog.text, "it says for whom it waits")
        visitor.close()
        assert migration.result().applied == []


def test_migrate_waits_for_another_migrate_however_long_that_takes(
    database: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        with caplog.at_level("INFO"), ThreadPoolExecutor(1) as thread:
            migration = thread.submit(migrate, database, patience_seconds=0)
            until(lambda: "migration_waits" in caplog.text, "it says that it waits")
            cursor.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
            assert migration.result().applied == []


def test_who_takes_the_same_turn_waits_and_others_do_not(connect: Callable[[], Connection]) -> None:
    first, second, watcher = (Clinic(connect()) for _ in range(3))
    with ThreadPoolExecutor(1) as thread:
        first.rows("BEGIN")
        first.rows("SELECT dramatiq.take_turn('anna@example.com')")
        second.rows("SELECT dramatiq.take_turn('boris@example.com')")
        second.rows("SELECT pg_advisory_lock(hashtextextended('carla@example.com', 0))")
        watcher.rows("SELECT dramatiq.take_turn('carla@example.com')")
        waiting = thread.submit(second.rows, "SELECT dramatiq.take_turn('anna@example.com')")
        until(lambda: watcher.value(f"SELECT count(*) FROM pg_locks WHERE {WAITS_HERE}") == 1, "the second waits")
        first.rows("COMMIT")
        waiting.result()
