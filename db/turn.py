"""One process at a time changes a schema or hands: half a change is no state to note. Others wait, and say for whom."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from db import queries
from db.connection import Connection, connect
from db.patience import named
from errors import DatabaseError
from log import EventLogger

TURN_SECONDS = 0.2  # between two looks whether another process has migrated
LOCK = 3_141_592_653  # any number of our own: whoever holds it migrates

events = EventLogger(__name__)


@contextmanager
def taken(url: str, patience_seconds: float, *, start_options: bool) -> Iterator[None]:
    """Hold an advisory lock, and no other: what is read here would be held until the end.

    A transaction's lock, not yoyo's table row (it outlives a crash) nor a session's lock (a pooler loses it). There may
    be no table of ours yet, and an advisory lock can be held by whoever may log in: that is not waited for without end.

    Raises:
        DatabaseError: somebody who may not migrate has held it for so many seconds; says who.
    """
    conn = connect(url, start_options=start_options)
    try:
        _wait(conn, patience_seconds)
        with conn:
            yield
    finally:
        conn.close()


def _wait(conn: Connection, patience_seconds: float) -> None:
    began, told = time.monotonic(), ""
    while not _locked(conn):
        holders = list(queries.locks.holders_of(conn, key=LOCK))
        conn.rollback()
        strangers = [each for each in holders if not each.may_migrate]
        if strangers and time.monotonic() - began > patience_seconds:
            raise DatabaseError(
                f"{named(strangers)} may not migrate, and holds the lock of whoever does: pg_advisory_lock({LOCK}). "
                f"End it, by `SELECT pg_terminate_backend({strangers[0].pid})`, and migrate again."
            )
        if holders and told != (told := ", ".join(str(each.pid) for each in holders)):
            events.info("migration_waits", step="migrate", waits_for=named(holders))
        time.sleep(TURN_SECONDS)  # not in the server: CREATE INDEX CONCURRENTLY would wait for who waits there


def _locked(conn: Connection) -> bool:
    """Whether this connection's transaction, which has no time limit, is the one that migrates."""
    with conn.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
        return bool(cursor.fetchone() == (True,))
