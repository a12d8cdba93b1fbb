"""Troubles of a server: each begins, lasts as long as its block, and is over after it."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import psycopg2

from tests.servers.own_postgres import OwnServer
from tests.waiting import until

OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"


@contextmanager
def altered(server: OwnServer, setting: str, value: str) -> Iterator[None]:
    """A setting of the whole server has another value."""
    server.query(f"ALTER SYSTEM SET {setting} = '{value}'")
    server.query("SELECT pg_reload_conf()")
    until(lambda: server.query(f"SHOW {setting}") == [(value,)], f"{setting} is {value}")
    try:
        yield
    finally:
        server.query(f"ALTER SYSTEM RESET {setting}")
        server.query("SELECT pg_reload_conf()")
        until(lambda: server.query(f"SHOW {setting}") != [(value,)], f"{setting} is as before")


@contextmanager
def read_only(server: OwnServer) -> Iterator[None]:
    """It takes no writes, as one that is not promoted yet, or whose disk is full."""
    with altered(server, "default_transaction_read_only", "on"):
        yield


@contextmanager
def commits_stalled(server: OwnServer) -> Iterator[None]:
    """No commit of anyone's ends: a synchronous standby is away. They are on disk, and nobody hears of it."""
    with altered(server, "synchronous_standby_names", "nobody"):
        yield


@contextmanager
def frozen(server: OwnServer) -> Iterator[None]:
    """It stands still with all its processes, as a virtual machine that is paused."""
    postmaster = server.processes()[0]
    os.kill(postmaster, signal.SIGSTOP)  # first: it starts no more of them
    everyone = server.processes()
    try:
        tell(everyone, signal.SIGSTOP)
        yield
    finally:
        tell(everyone, signal.SIGCONT)


def tell(processes: list[int], what: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):  # some of a server's processes are short
            os.kill(pid, what)


@contextmanager
def crashed(server: OwnServer) -> Iterator[None]:
    """It has crashed and come back."""
    server.restart("immediate")
    yield


@contextmanager
def restarted(server: OwnServer) -> Iterator[None]:
    """It has been stopped in good order and started again."""
    server.restart("fast")
    yield


@contextmanager
def connections_cut(server: OwnServer) -> Iterator[None]:
    """Every connection has been ended."""
    server.query(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    yield


@contextmanager
def pulses_cut(server: OwnServer) -> Iterator[None]:
    """The connections on which workers beat and listen have been ended: they are deaf."""
    server.query(f"SELECT pg_terminate_backend(pid) {OTHERS} AND query ~ 'LISTEN|heartbeat|dramatiq.worker|rescue'")
    yield


@contextmanager
def connections_used_up(server: OwnServer) -> Iterator[None]:
    """Strangers hold every connection that there may be."""
    with ExitStack() as strangers:
        first = strangers.enter_context(closing(psycopg2.connect(server.url)))
        _fill(server, strangers)
        ours = "application_name = 'balansity'"
        with first.cursor() as cursor:
            cursor.execute(f"SELECT pg_terminate_backend(pid, 5000) {OTHERS} AND {ours}")
        first.commit()
        _fill(server, strangers)
        yield


def _fill(server: OwnServer, strangers: ExitStack) -> None:
    with suppress(psycopg2.OperationalError):  # there are too many already
        while True:
            strangers.enter_context(closing(psycopg2.connect(server.url)))


@contextmanager
def queue_locked(server: OwnServer) -> Iterator[None]:
    """Somebody alters the broker's table, slowly."""
    with closing(psycopg2.connect(server.url)) as conn, conn.cursor() as cursor:
        cursor.execute("LOCK TABLE dramatiq.queue IN ACCESS EXCLUSIVE MODE")
        yield
