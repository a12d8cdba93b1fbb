"""Whoever changes a database's schema or hands waits for its turn: half a change is no state to mend or to note."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from db.connection import Connection, connect
from log import EventLogger

TURN_SECONDS = 0.2  # between two looks whether another process has ended
LOCK = 3_141_592_653  # any number of our own: whose turn it is holds it
events = EventLogger(__name__)


@contextmanager
def one_at_a_time(url: str, *, start_options: bool) -> Iterator[None]:
    """Hold an advisory lock, and no other: what is read here would be held until the end.

    A transaction's lock, not yoyo's table row (it outlives a crash) nor a session's lock (a pooler loses it).
    """
    conn = connect(url, start_options=start_options)
    told = False
    try:
        while not _locked(conn):
            conn.rollback()
            if not told:
                events.info("turn_awaited")
                told = True
            time.sleep(TURN_SECONDS)  # not in the server: CREATE INDEX CONCURRENTLY would wait for who waits there
        with conn:
            yield
    finally:
        conn.close()


def _locked(conn: Connection) -> bool:
    """Whether it is the turn of this connection's transaction, which has no time limit."""
    with conn.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
        return bool(cursor.fetchone() == (True,))
