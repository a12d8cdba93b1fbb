"""Connections to PostgreSQL, and pools of them that open when first needed. Nothing here reads a setting."""

import os
import select
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case
from psycopg2.extras import NamedTupleCursor
from psycopg2.pool import PoolError

from address import parts, shown
from db.session import REPORTED, dsn
from db.trouble import spoils
from errors import DatabaseError

__all__ = ["Connection"]  # for everybody: the noqa above stands once

OLDEST_SERVER = 140000  # PostgreSQL's own numbering: 14.0
WAIT_SECONDS = 30  # for a free connection of the pool
KEPT_SECONDS = 60  # a connection that was not needed for so long is closed when another comes back


class Unreachable(DatabaseError, psycopg2.OperationalError):  # noqa: N818 - says what is the case
    """The server does not answer, or refuses the login; whoever waits for lost connections waits for it, too."""

    def __init__(self, url: str, error: psycopg2.OperationalError) -> None:
        super().__init__(f"Cannot reach PostgreSQL at {shown(url)}: {str(error).strip()}. Check DATABASE_URL.")


class Pool:
    """A pool that opens connections when first needed, waits for a free one and replaces broken ones.

    psycopg2's own raises as soon as every connection is taken, hands out dead ones, and shares them with forks.
    """

    def __init__(
        self, url: Callable[[], str], size: Callable[[], int], start_options: Callable[[], bool] = lambda: True
    ) -> None:
        self.url = url
        self.size = size
        self.start_options = start_options
        self.fixed: int | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Without connections; a fork forgets its parent's, which psycopg2 closes only where they were opened."""
        self.lock = Lock()
        self.idle: list[Connection] = []  # the last that came back is lent first
        self.idle_since: list[float] = []
        self.places: BoundedSemaphore | None = None

    def resize(self, size: int) -> None:
        """Open so many connections at most, whatever was said before; to be said before the first is opened."""
        self.fixed = size

    def connect(self) -> Connection:
        """One connection of the caller's own, which is none of the pool's.

        Raises:
            DatabaseError: as `connect`.
        """
        return connect(self.url(), start_options=self.start_options())

    def closeall(self) -> None:
        with self.lock:
            self.places = None
            self.fixed = None
        self._close_idle()

    def _places(self) -> BoundedSemaphore:
        with self.lock:
            if self.places is None:
                self.places = BoundedSemaphore(self.fixed or self.size())
            return self.places

    def _idle(self) -> Connection | None:
        """One that still has its server, of those that wait."""
        while True:
            with self.lock:
                if not self.idle:
                    return None
                self.idle_since.pop()
                conn = self.idle.pop()
            if _alive(conn):
                return conn
            conn.close()

    def _close_idle(self) -> None:
        with self.lock:
            idle, self.idle, self.idle_since = self.idle, [], []
        for conn in idle:
            conn.close()

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        """A connection for the block; one that is lost or cannot write is given up, and so are its idle sisters."""
        places = self._places()
        if not places.acquire(timeout=WAIT_SECONDS):
            raise PoolError(f"No connection became free in {WAIT_SECONDS} s: raise DATABASE_POOL_SIZE")
        try:
            conn = self._idle() or self.connect()
            try:
                yield conn
            except psycopg2.Error as error:
                if spoils(error):
                    conn.close()
                    self._close_idle()
                raise
            finally:
                self._take_back(conn, places)
        finally:
            places.release()

    def _take_back(self, conn: Connection, places: BoundedSemaphore) -> None:
        well = not conn.closed and conn.info.transaction_status == TRANSACTION_STATUS_IDLE
        now = time.monotonic()
        with self.lock:
            unneeded = bisect(self.idle_since, now - KEPT_SECONDS)
            given_up = self.idle[:unneeded]
            del self.idle[:unneeded], self.idle_since[:unneeded]
            if well and places is self.places:
                self.idle.append(conn)
                self.idle_since.append(now)
            else:
                given_up.append(conn)
        for each in given_up:
            each.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose changes commit together when the block ends, or not at all."""
        with self._lent() as conn, conn:
            yield conn

    @contextmanager
    def single_statements(self) -> Iterator[Connection]:
        """A connection on which every statement commits by itself: one round trip instead of three."""
        with self._lent() as conn:
            try:
                conn.autocommit = True
                yield conn
            finally:
                if not conn.closed:
                    conn.autocommit = False


def _alive(conn: Connection) -> bool:
    """Whether an idle connection still has its server: one that ended has left its goodbye in the socket.

    The first poll only reads that goodbye and calls the connection well; the end comes after it.
    """
    try:
        while readable(conn, 0):
            conn.poll()
    except psycopg2.Error:
        return False
    return not conn.closed


def readable(conn: Connection, seconds: float) -> bool:
    """Whether the server has said something within so many seconds; `select` would fail for a process of many files."""
    waiting = select.poll()
    waiting.register(conn, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def connect(url: str, *, start_options: bool = True) -> Connection:
    """One connection of the caller's own; without `start_options` where a transaction-mode pooler refuses them.

    Raises:
        DatabaseError: the server does not answer, refuses the login, is older than PostgreSQL 14 or not in UTF-8.
    """
    try:
        parts(url)
    except ValueError as error:  # psycopg2's own words, or libpq's, would quote it
        raise DatabaseError(f"The database's address {error}: percent-encode it. Check DATABASE_URL.") from None
    try:
        conn = psycopg2.connect(dsn(url, start_options=start_options), cursor_factory=NamedTupleCursor)
    except psycopg2.OperationalError as error:
        raise Unreachable(url, error) from None
    if problem := _problem(conn):
        conn.close()
        raise DatabaseError(f"{shown(url)} {problem}")
    if start_options:
        _overrule(conn)
    return conn


def _problem(conn: Connection) -> str:
    """Why a database cannot be used, if it cannot."""
    if conn.server_version < OLDEST_SERVER:
        version = conn.info.parameter_status("server_version")
        return f"is PostgreSQL {version}, which is too old: version 14 or newer is needed."
    if (encoding := conn.info.parameter_status("server_encoding")) != "UTF8":
        return f"keeps text as {encoding}, which cannot hold every name: CREATE DATABASE … ENCODING 'UTF8'."
    return ""


def _overrule(conn: Connection) -> None:
    """Set again what PGTZ or PGDATESTYLE overruled: libpq sends these after our options."""
    wrong = {name: value for name, value in REPORTED.items() if conn.info.parameter_status(name) != value}
    if wrong:
        with conn, conn.cursor() as cursor:
            for name, value in wrong.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
