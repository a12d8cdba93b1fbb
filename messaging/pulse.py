"""The pulse of a worker process: one thread and one connection for heartbeats, rescues and the doorbell."""

import json
import os
import platform
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import psycopg2

from db import queries
from db.connection import Connection
from db.trouble import explained, is_lost
from errors import DatabaseError
from log import EventLogger
from messaging import contract, looking
from messaging.claims import Claims
from messaging.doorbell import Doorbell
from messaging.judge import BEATS_IN_SILENCE, Judge
from messaging.repertoire import Repertoire
from messaging.rest import Rest

SILENCE_SECONDS = 12.0  # after which a worker is dead
MOST_RESCUES = 10  # a message that outlived so many workers is their killer
LOST = "lost"
LISTEN_SECONDS = 0.5  # between looks at anything but the doorbell
PASS_ON_SECONDS = 0.1  # between two words to others that a queue has too few threads here
STRANDED_SHARE = 0.05  # of the time, at most, goes into looks for claims of workers that have no row

events = EventLogger(__name__)


class Pulse:
    """Says that this process lives, takes over from those that do not, and rings for new messages.

    Others are judged by their counts of beats, never by a time that another clock wrote (see `Judge`).
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        repertoire: Repertoire,
        claims: dict[str, Claims],
        *,
        listen: Callable[[], bool],
        silence_seconds: float,
    ) -> None:
        self.connect = connect
        self.repertoire = repertoire
        self.claims = claims
        self.listen = listen  # or only poll, where a pooler carries no LISTEN
        self.silence_seconds = silence_seconds
        self.worker_id: int | None = None
        self.closing = False  # claim nothing more
        self.beaten_at = 0.0
        self.given_up_at = 0.0  # when it last heard that others had taken over what it held
        self.beats = 0
        self.judge: Judge[int] = Judge()
        self.stranded_at = 0.0  # when to look for stranded claims again
        self.trouble = ""  # what the database said last that was no answer
        self.doorbell = Doorbell()
        self.rest = Rest(self.doorbell)
        self.nudged = False  # since the last wait
        self.crowded: dict[str, float] = {}  # queues that lacked threads, and when others were last told
        self.to_pass_on: deque[str] = deque()
        self.thread: threading.Thread | None = None
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def start_once(self) -> None:
        with self.lock:
            if self.thread is None:
                self.ended.clear()
                self.closing = self.nudged = False
                self.woken, self.waker = socket.socketpair()  # a byte ends a wait
                self.thread = threading.Thread(target=self._run, name="pulse", daemon=True)
                self.thread.start()

    def stop(self) -> None:
        with self.lock:
            if self.thread:
                self.ended.set()
                self.waker.send(b"!")
                self.thread.join()
                self.thread = None
                self.waker.close()
                self.woken.close()

    def nudge(self) -> None:
        """Say that a queue sleeps, or no more; called by the consumers' threads."""
        with self.lock:
            if self.thread and not self.nudged:
                self.nudged = True
                self.waker.send(b"!")

    def pass_on(self, queue_name: str) -> None:
        """Say that a queue has more than this process has threads for; called by the consumers' threads."""
        now = time.monotonic()
        if now >= self.crowded.get(queue_name, 0.0):
            self.crowded[queue_name] = now + PASS_ON_SECONDS
            self.to_pass_on.append(queue_name)
            self.nudge()

    def may_claim(self) -> bool:
        """Whether others know that this process lives, and it is not about to end."""
        return self.worker_id is not None and not self.closing and not self.lapsed()

    def lapsed(self) -> bool:
        """Whether others may have given this process up, so that it must not start what it holds."""
        return time.monotonic() - self.beaten_at > self.silence_seconds

    def may_have_lost(self, since: float) -> bool:
        """Whether others may have taken over what this process claimed since then, however short its silence was."""
        return self.lapsed() or self.given_up_at >= since  # in this order: a beat sets the other first

    def _run(self) -> None:
        while not self.ended.is_set():
            try:
                conn = self.connect()
            except (DatabaseError, psycopg2.Error) as error:
                self._fail(error)
                continue
            try:
                self._live(conn)
            except psycopg2.Error as error:
                self._fail(error)
            except Exception:  # noqa: BLE001 - a process without a pulse would claim nothing more, and look well
                events.error("pulse_failed", with_traceback=True)
                self._sleep()
            finally:
                self.doorbell.disconnected()
                self._ring(self.rest.disconnected())
                conn.close()

    def _fail(self, error: Exception) -> None:
        """Say a trouble once, until it is one of another kind or over, and wait a moment."""
        why = explained(error) if isinstance(error, psycopg2.Error) else str(error)
        kind = LOST if isinstance(error, psycopg2.Error) and is_lost(error) else why
        if kind != self.trouble:
            events.warning("heartbeat_failed", error=why)
        self.trouble = kind
        self._sleep()

    def _live(self, conn: Connection) -> None:
        conn.autocommit = True
        if self.worker_id is None:
            self._register(conn)
        while not self.ended.is_set():
            if time.monotonic() - self.beaten_at >= self.silence_seconds / BEATS_IN_SILENCE:
                self._beat(conn)
            self.trouble = ""
            self._wait(conn)
        self._rest(conn, set())
        queries.broker.unregister(conn, worker=self.worker_id)
        self.worker_id = None

    def _register(self, conn: Connection) -> None:
        contract.introduce(conn, self.repertoire.actors.values())
        abilities = self.repertoire.abilities()
        self.beaten_at = time.monotonic()
        self.worker_id = queries.broker.register(conn, host=platform.node(), pid=os.getpid(), abilities=abilities)
        events.info("worker_registered", worker=self.worker_id)
        self._ring(list(self.claims))

    def _beat(self, conn: Connection) -> None:
        now = time.monotonic()  # before the call: frozen in it, this process must not believe itself fresh
        self.beats += 1
        known = queries.broker.heartbeat(
            conn,
            worker=self.worker_id,
            host=platform.node(),
            pid=os.getpid(),
            beats=self.beats,
            abilities=self.repertoire.abilities(),
            hears=not self.doorbell.deaf,
        )
        self.judge.beat(now, time.monotonic(), silence=self.silence_seconds)
        if not known:
            events.warning("worker_was_given_up", worker=self.worker_id)
            self.given_up_at = time.monotonic()
            for claims in list(self.claims.values()):
                claims.hand_back()
        self.beaten_at = now
        self._cancel(conn)
        self._answer(conn)
        self._rescue(conn)

    def _cancel(self, conn: Connection) -> None:
        """End the runs that a person has cancelled."""
        for message_id, attempt in list(queries.cancellations.asked_of(conn, worker=self.worker_id)):
            if any(claims.cancel(message_id, attempt) for claims in list(self.claims.values())):
                events.info("run_cancelled", message_id=message_id)

    def _answer(self, conn: Connection) -> None:
        """Say where this process's threads stand, where somebody asked."""
        if queries.running.is_looked_into(conn, worker=self.worker_id):
            held = [claim for claims in list(self.claims.values()) for claim in list(claims.held)]
            queries.running.answer(conn, worker=self.worker_id, stacks=json.dumps(looking.stacks(held)))

    def _rescue(self, conn: Connection) -> None:
        began = time.monotonic()
        counts = dict(queries.broker.list_beats(conn))
        dead = self.judge.dead(counts, began, time.monotonic(), silence=self.silence_seconds)
        if not self.judge.may_judge(began, silence=self.silence_seconds) or not (dead or began >= self.stranded_at):
            return
        asked = time.monotonic()
        rescued = queries.broker.rescue(conn, dead=list(dead), beats=list(dead.values()), most_rescues=MOST_RESCUES)
        self.stranded_at = asked + (time.monotonic() - asked) / STRANDED_SHARE
        if rescued:
            events.warning("messages_rescued", count=rescued)
            self._ring(list(self.claims))  # a session rings for those that sleep in others

    def _wait(self, conn: Connection) -> None:
        """Wait for the doorbell, or merely wait where a pooler cannot carry it."""
        if not self.listen():
            self._sleep()
            return
        self.doorbell.listen(conn)
        self._rest(conn, self._idle())
        if not self._hear(conn):  # it may have rung meanwhile
            self._sleep(conn)
            self._hear(conn)
        if self.doorbell.turns_out_deaf(self.silence_seconds):
            events.warning("doorbell_is_deaf", worker=self.worker_id)

    def _rest(self, conn: Connection, idle: set[str]) -> None:
        """Let the idle queues rest, and tell others of those that woke for want of threads, or for good."""
        rested, slept = self.rest.queues, set(self.rest.asleep)
        self._ring(self.rest.turn(conn, idle, time.monotonic()))
        self._ring(queue for queue in rested - self.rest.queues if self.claims[queue].appetite.idle)  # it may not rest
        lacking = {queue for queue in slept - self.rest.asleep.keys() if not self.claims[queue].appetite.streams}
        while self.to_pass_on:
            lacking.add(self.to_pass_on.popleft())
        if lacking:
            queries.broker.pass_on(conn, queues=sorted(lacking))

    def _sleep(self, *connections: Connection) -> None:
        """Wait until a server says something, `stop` is called, or it is time to see whether to beat."""
        waiting = select.poll()  # `select` would fail for a process of many files
        waiting.register(self.woken, select.POLLIN)
        for connection in connections:
            waiting.register(connection, select.POLLIN)
        seconds = min(LISTEN_SECONDS, self.silence_seconds / BEATS_IN_SILENCE / 4)
        if connections:
            seconds = max(0.0, min(seconds, self.rest.turn_at - time.monotonic()))
        waiting.poll(1000 * seconds)
        if self.nudged:
            self.woken.recv(1)
            self.nudged = False

    def _hear(self, conn: Connection) -> bool:
        rung = self.doorbell.rung(conn)
        self._ring(rung)
        return bool(rung or self.doorbell.passed_on)

    def _idle(self) -> set[str]:
        """The queues that would take a message at once; none while they may not, or would not hear of it."""
        if self.doorbell.deaf or not self.may_claim():
            return set()
        return {queue_name for queue_name, claims in list(self.claims.items()) if claims.appetite.idle}

    def _ring(self, queue_names: Iterable[str]) -> None:
        for queue_name in queue_names:
            self.claims[queue_name].ring()
