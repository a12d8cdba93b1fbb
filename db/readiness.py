"""Whether a database can be written now, asked on a connection of its own: an answer comes in time, whatever hangs."""

import select
import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE
from psycopg2.extensions import connection as Connection  # noqa: N812 - as in db.connection, whose options it lacks

from db import queries
from db.session import dsn
from errors import DatabaseError

ANSWER_SECONDS = 2.0  # for connecting and asking; a pool's own patience is longer than a balancer's
FRESH_SECONDS = 1.0  # an answer serves whoever asks so soon after it: strangers open no crowd of connections
AWAY = "The database does not answer."
READ_ONLY = "The database takes no writes."
UNMIGRATED = "The database is not migrated."
EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


class Readiness:
    """Asks one database; whoever comes while it is being asked hears the same answer."""

    def __init__(self, url: Callable[[], str], start_options: Callable[[], bool]) -> None:
        self.url = url
        self.start_options = start_options
        self.lock = threading.Lock()
        self.asked_at = float("-inf")
        self.answer: str | None = None

    def problem(self) -> str | None:
        """Why it cannot be written, in words that tell a stranger nothing more; None where it can."""
        with self.lock:
            if time.monotonic() - self.asked_at > FRESH_SECONDS:
                self.answer = self._ask()
                self.asked_at = time.monotonic()
            return self.answer

    def _ask(self) -> str | None:
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            address = dsn(self.url(), start_options=self.start_options())
            with closing(psycopg2.connect(address, async_=True)) as conn:
                _wait(conn, deadline)
                return _problem(conn, deadline)
        except (DatabaseError, psycopg2.Error, TimeoutError):
            return AWAY


def _problem(conn: Connection, deadline: float) -> str | None:
    with conn.cursor() as cursor:
        cursor.execute(queries.readiness.look.sql)
        _wait(conn, deadline)
        takes_writes, is_migrated = cursor.fetchall()[0]
    return None if takes_writes and is_migrated else UNMIGRATED if takes_writes else READ_ONLY


def _wait(conn: Connection, deadline: float) -> None:
    """Wait until the server has answered.

    Raises:
        TimeoutError: it did not by then.
    """
    while (state := conn.poll()) != POLL_OK:
        waiting = select.poll()
        waiting.register(conn, EVENTS[state])
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise TimeoutError
