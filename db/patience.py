"""Waits for locks that others hold and makes nobody wait: briefly, again and again, saying who is in the way."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

import psycopg2

from db import queries
from db.connection import Connection, connect
from errors import DatabaseError
from log import EventLogger

LOCK_WAIT_MS = 500  # everybody queues behind who waits; the server, too, ends one of a deadlock only after a second
LOOK_SECONDS = 0.15  # after which, and how often, a wait is looked at: more than once a wait
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
PATIENCE_SECONDS = 300.0

T = TypeVar("T")
events = EventLogger(__name__)


class Patience:
    """Repeats what was refused a lock, with growing pauses, until so many seconds have passed in vain."""

    def __init__(self, url: str, seconds: float = PATIENCE_SECONDS, *, start_options: bool = True) -> None:
        self.url = url
        self.seconds = seconds
        self.start_options = start_options

    def run(self, name: str, attempt: Callable[[Callable[[Connection], None]], T]) -> T:
        """Call `attempt`, which hands the connection that will wait to the function it is given.

        Raises:
            DatabaseError: the locks that it needs were held all the time; says by whom.
        """
        began, pause = time.monotonic(), FIRST_PAUSE_SECONDS
        while True:
            with Watch(self.url, start_options=self.start_options) as watch:
                try:
                    return attempt(watch.over)
                except (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected) as error:
                    refused = error
            if time.monotonic() - began + pause > self.seconds:
                raise DatabaseError(
                    f"{name} waited {self.seconds:.0f} s in vain for {watch.seen()}. "
                    "Nothing of it is done: let that end, or end it, and do this again."
                ) from refused
            events.info("migration_waits", step=name, waits_for=watch.seen(), pause_seconds=pause)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class Watch:
    """Looks, on a connection of its own, whom a statement waits for: once it has given up, nobody can tell any more."""

    def __init__(self, url: str, *, start_options: bool) -> None:
        self.url = url
        self.start_options = start_options
        self.holders: list[Any] = []
        self.ended = threading.Event()
        self.thread: threading.Thread | None = None

    def over(self, connection: Connection) -> None:
        """Watch what this connection does, in the transaction that it has begun or in those to come."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid() AS pid")
            [(pid,)] = cursor.fetchall()
        self.thread = threading.Thread(target=self._look, args=[pid], daemon=True)
        self.thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.thread:
            self.thread.join()

    def _look(self, pid: int) -> None:
        if self.ended.wait(LOOK_SECONDS):  # most take less, and nobody connects
            return
        try:
            conn = connect(self.url, start_options=self.start_options)
            conn.autocommit = True
            try:
                while not self.ended.wait(LOOK_SECONDS):
                    self.holders = list(queries.locks.holders(conn, pid=pid)) or self.holders
            finally:
                conn.close()
        except (
            DatabaseError,
            psycopg2.Error,
        ) as error:  # who is in the way is not known then, and nothing else is lost
            events.warning("locks_not_seen", error=type(error).__name__)

    def seen(self) -> str:
        """The lock that was waited for, and who held it."""
        if not self.holders:
            return "a lock that nobody was seen to hold"
        return f"{self.holders[0].target}, held by {named(self.holders)}"


def named(holders: Iterable[Any]) -> str:
    """Processes of the server, with what is known of them."""
    return "; ".join(
        f"process {each.pid} ({each.application or 'no application'} of role {each.role}"
        + (f", for {each.seconds:.0f} s)" if each.seconds is not None else ")")
        for each in holders
    )
