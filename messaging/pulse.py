"""The pulse of a worker process: one thread and one connection for heartbeats, rescues and the doorbell."""

import os
import platform
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import quote_ident

from db import queries
from db.connection import Connection, readable
from errors import DatabaseError
from log import EventLogger, first_line

if TYPE_CHECKING:
    from messaging.broker import PostgresBroker

HEARTBEAT_SECONDS = 4.0
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS  # after which a worker is dead
MOST_RESCUES = 10  # a message that outlived so many workers is their killer
LISTEN_SECONDS = 0.5  # between looks at anything but the doorbell

events = EventLogger(__name__)


class Pulse:
    """Says that this process lives, takes over from those that do not, and rings for new messages.

    A worker judges others only after a full silence of its own good beats: when the server was away, everyone's
    heartbeat is old, and nobody is dead.
    """

    def __init__(self, broker: "PostgresBroker") -> None:
        self.broker = broker
        self.worker_id: int | None = None
        self.closing = False  # claim nothing more
        self.beaten_at = 0.0
        self.beating_since: float | None = None
        self.listening: set[str] = set()
        self.thread: threading.Thread | None = None
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def start_once(self) -> None:
        with self.lock:
            if self.thread is None:
                self.ended.clear()
                self.closing = False
                self.thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                self.thread.start()

    def stop(self) -> None:
        with self.lock:
            thread, self.thread = self.thread, None
        if thread:
            self.ended.set()
            thread.join()

    def lapsed(self) -> bool:
        """Whether others may have given this process up, so that it must not start what it holds."""
        return time.monotonic() - self.beaten_at > SILENCE_SECONDS

    def _run(self) -> None:
        while not self.ended.is_set():
            try:
                conn = self.broker.pool.connect()
            except (DatabaseError, psycopg2.Error) as error:
                events.warning("heartbeat_failed", error=error)
                self.ended.wait(LISTEN_SECONDS)
                continue
            try:
                self._live(conn)
            except psycopg2.Error as error:
                events.warning("heartbeat_failed", error=first_line(error))
                self.ended.wait(LISTEN_SECONDS)
            except Exception:  # noqa: BLE001 - a process without a pulse would claim nothing more, and look well
                events.error("pulse_failed", with_traceback=True)
                self.ended.wait(LISTEN_SECONDS)
            finally:
                self.listening.clear()
                conn.close()

    def _live(self, conn: Connection) -> None:
        conn.autocommit = True
        if self.worker_id is None:
            self._register(conn)
        while not self.ended.is_set():
            if time.monotonic() - self.beaten_at >= HEARTBEAT_SECONDS:
                self._beat(conn)
            self._listen(conn)
        queries.broker.unregister(conn, worker=self.worker_id)
        self.worker_id = None

    def _register(self, conn: Connection) -> None:
        self.broker.publish_actors(conn)
        self.worker_id = queries.broker.register(conn, host=platform.node(), pid=os.getpid())
        self.beaten_at = self.beating_since = time.monotonic()
        events.info("worker_registered", worker=self.worker_id)
        self._ring(list(self.broker.queues))

    def _beat(self, conn: Connection) -> None:
        if self.lapsed():
            self.beating_since = None
        now = time.monotonic()  # before the call: frozen in it, this process must not believe itself fresh
        known = queries.broker.heartbeat(conn, worker=self.worker_id, host=platform.node(), pid=os.getpid())
        if not known:
            events.warning("worker_was_given_up", worker=self.worker_id)
            for claims in list(self.broker.claims.values()):
                claims.hand_back()
        self.beaten_at = now
        self.beating_since = self.beating_since or now
        if now - self.beating_since >= SILENCE_SECONDS:
            self._rescue(conn)

    def _rescue(self, conn: Connection) -> None:
        rescued = queries.broker.rescue(conn, silence_seconds=SILENCE_SECONDS, most_rescues=MOST_RESCUES)
        if rescued:
            events.warning("messages_rescued", count=rescued)

    def _listen(self, conn: Connection) -> None:
        """Wait for the doorbell, or merely wait where a pooler cannot carry it."""
        if not self.broker.listen():
            self.ended.wait(LISTEN_SECONDS)
            return
        fresh = set(self.broker.queues) - self.listening
        with conn.cursor() as cursor:
            for queue_name in fresh:
                cursor.execute(f"LISTEN {quote_ident(_channel(queue_name), conn)}")
        self.listening |= fresh
        self._ring(fresh)  # for what came before we listened
        readable(conn, LISTEN_SECONDS)
        conn.poll()
        rung = {notice.channel for notice in conn.notifies}
        conn.notifies.clear()
        self._ring(queue_name for queue_name in list(self.broker.queues) if _channel(queue_name) in rung)

    def _ring(self, queue_names: Any) -> None:
        for queue_name in queue_names:
            self.broker.claims[queue_name].ring()


def _channel(queue_name: str) -> str:
    return f"dramatiq.{queue_name}.enqueue"
