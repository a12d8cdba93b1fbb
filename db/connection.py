"""Connections to PostgreSQL, and pools of them that open when first needed. Nothing here reads a setting."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, make_dsn, parse_dsn
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case
from psycopg2.extras import NamedTupleCursor
from psycopg2.pool import PoolError, ThreadedConnectionPool

from errors import DatabaseError

__all__ = ["Connection"]  # for everybody: the noqa above stands once

LOST_CONNECTION = (psycopg2.OperationalError, psycopg2.InterfaceError, PoolError)
SHUTDOWN = "57P"  # how the codes of errors begin that end a connection
OLDEST_SERVER = 140000  # PostgreSQL's own numbering: 14.0
CONNECT_SECONDS = 10
WAIT_SECONDS = 30  # for a free connection of the pool
STATEMENT_SECONDS = 30

KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,  # milliseconds
}


class Unreachable(DatabaseError, psycopg2.OperationalError):  # noqa: N818 - says what is the case
    """The server does not answer, or refuses the login; whoever waits for lost connections waits for it, too."""

    def __init__(self, url: str, error: psycopg2.OperationalError) -> None:
        super().__init__(f"Cannot reach PostgreSQL at {shown(url)}: {str(error).strip()}. Check DATABASE_URL.")


class Pool:
    """A pool that opens connections when first needed, waits for a free one and replaces broken ones.

    psycopg2's own, which it wraps, raises as soon as every connection is taken, and hands out dead ones.
    """

    def __init__(
        self, url: Callable[[], str], size: Callable[[], int], start_options: Callable[[], bool] = lambda: True
    ) -> None:
        self.url = url
        self.size = size
        self.start_options = start_options
        self.fixed: int | None = None
        self.address = ""
        self.lock = Lock()
        self.connections: ThreadedConnectionPool | None = None
        self.free = BoundedSemaphore(0)

    def resize(self, size: int) -> None:
        """Open so many connections at most, whatever was said before; to be said before the first is opened."""
        self.fixed = size

    def connect(self) -> Connection:
        """One connection of the caller's own, which is none of the pool's.

        Raises:
            DatabaseError: as `connect`.
        """
        return connect(self.url(), start_options=self.start_options())

    def getconn(self) -> Connection:
        pool = self._opened()
        if not self.free.acquire(timeout=WAIT_SECONDS):
            raise PoolError(f"No connection became free in {WAIT_SECONDS} s: raise DATABASE_POOL_SIZE")
        try:
            while not _alive(conn := pool.getconn()):
                pool.putconn(conn, close=True)
        except psycopg2.OperationalError as error:
            self.free.release()
            raise Unreachable(self.address, error) from None
        except BaseException:
            self.free.release()
            raise
        return conn

    def putconn(self, conn: Connection) -> None:
        try:
            idle = not conn.closed and conn.info.transaction_status == TRANSACTION_STATUS_IDLE
            self._opened().putconn(conn, close=not idle)
        finally:
            self.free.release()

    def closeall(self) -> None:
        with self.lock:
            if self.connections:
                self.connections.closeall()
            self.connections = None
            self.fixed = None

    def _opened(self) -> ThreadedConnectionPool:
        with self.lock:
            if self.connections is None:
                size = self.fixed or self.size()
                self.address = self.url()
                address = dsn(self.address, start_options=self.start_options())
                self.connections = ThreadedConnectionPool(0, size, address, cursor_factory=NamedTupleCursor)
                self.connections.minconn = size  # of the connections handed back, keep as many
                self.free = BoundedSemaphore(size)
            return self.connections

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose changes commit together when the block ends, or not at all."""
        conn = self.getconn()
        try:
            with conn:
                yield conn
        finally:
            self.putconn(conn)

    @contextmanager
    def single_statements(self) -> Iterator[Connection]:
        """A connection on which every statement commits by itself: one round trip instead of three."""
        conn = self.getconn()
        try:
            conn.autocommit = True
            yield conn
        finally:
            if not conn.closed:
                conn.autocommit = False
            self.putconn(conn)


def _alive(conn: Connection) -> bool:
    """Whether an idle connection still has its server: one that ended has left its goodbye in the socket."""
    try:
        if readable(conn, 0):
            conn.poll()
    except psycopg2.Error:
        return False
    return not conn.closed


def is_lost(error: psycopg2.Error) -> bool:
    """Whether the connection is gone, or never was: not that the server gave a statement up, or that none is free."""
    return not isinstance(error, PoolError) and (error.pgcode is None or error.pgcode.startswith(SHUTDOWN))


def readable(conn: Connection, seconds: float) -> bool:
    """Whether the server has said something within so many seconds; `select` would fail for a process of many files."""
    waiting = select.poll()
    waiting.register(conn, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def connect(url: str, *, start_options: bool = True) -> Connection:
    """One connection of the caller's own; without `start_options` where a transaction-mode pooler refuses them.

    Raises:
        DatabaseError: the server does not answer, refuses the login, or is older than PostgreSQL 14.
    """
    try:
        conn = psycopg2.connect(dsn(url, start_options=start_options), cursor_factory=NamedTupleCursor)
    except psycopg2.OperationalError as error:
        raise Unreachable(url, error) from None
    if conn.server_version < OLDEST_SERVER:
        version = conn.info.parameter_status("server_version")
        conn.close()
        raise DatabaseError(f"PostgreSQL {version} at {shown(url)} is too old: version 14 or newer is needed.")
    return conn


def dsn(url: str, *, start_options: bool) -> str:
    """`url` with our timeouts and keep-alives for everything it does not set itself."""
    ours: dict[str, Any] = {"application_name": "balansity", "connect_timeout": CONNECT_SECONDS, **KEEPALIVE}
    if start_options:
        ours["options"] = f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c timezone=UTC"
    return str(make_dsn(**{**ours, **parse_dsn(url)}))


def shown(url: str) -> str:
    """Which database `url` names and as whom, for people and logs: nothing of it that could be a secret."""
    try:
        parts = parse_dsn(url)
    except psycopg2.Error:  # its message would quote what it could not read
        return "an address that cannot be read"
    user, host, port = (parts.get(name, "") for name in ("user", "host", "port"))
    socket = host.startswith("/")
    place = "" if socket else host.rpartition("@")[2]  # before it stands the rest of a password that has an @
    return (
        f"postgresql://{user and f'{user}@'}{place}{port and f':{port}'}/{parts.get('dbname', '')}"
        f"{f'?host={host}' if socket else ''}"
    )
