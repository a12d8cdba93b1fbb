"""The relay: carries what PostgreSQL holds to RabbitMQ when it is due, batch by batch.

Each batch is one transaction: taken out, published, confirmed, committed. Where it breaks off before the commit the
messages stay and are carried again, so any may arrive twice and none is lost. Any number of relays may run.
"""

import json
import select
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Event
from typing import Any

import psycopg2

from db import queries
from db.connection import Connection
from db.trouble import explained, passes, quoteless
from errors import BalansityError
from log import EventLogger
from messaging.bridge import SINGLY, SINGLY_SECONDS, SealedBridge
from messaging.doorbell import Doorbell
from messaging.parcel import Packed
from messaging.process import Process
from messaging.publisher import Publisher
from messaging.routes import Route
from messaging.seal import ENCODE

BATCH = 500  # messages a transaction
AT_ONCE = 10  # batches of a queue, before others have their turn
DEEPEST = 10_000  # messages of a queue that RabbitMQ is to hold; more wait in PostgreSQL, where priority counts
FULL_SECONDS = 0.1  # before it is asked again whether it has room
PAUSES_SECONDS = (0.005, 1.0)  # between looks that find nothing: twice as long each time, until a bell rings
BEAT_SECONDS = 5.0  # between two words that a relay lives
LOST_SECONDS = 1.0  # before a server that is away is asked again

Take = Callable[[Connection, str, int], list[Any]]  # so many messages of a queue, out of the transaction's database
events = EventLogger(__name__)


class Relay:
    """Carries the messages of all published actors' queues, and of the pgmq queues that feed them."""

    def __init__(self, process: Process, urls: Sequence[str], *, listen: Callable[[], bool]) -> None:
        self.process = process
        self.queues: dict[str, Route | None] = {}
        self.publisher = Publisher(urls)
        self.listen = listen
        self.room: dict[str, int] = {}  # how many more of each queue RabbitMQ is to hold
        self.full: dict[str, float] = {}  # queues of which it has enough, and when to ask again
        self.doorbell = Doorbell()
        self.bells: dict[str, list[int]] = {}  # that are held, so that senders ring
        self.refused: dict[str, str] = {}  # queues that the database does not give, and what it says; once
        self.beat_at = 0.0  # when to say again that it lives
        self.trouble = ""

    def run(self, stop: Event) -> None:
        """Carry until somebody sets `stop`; what is away is waited for."""
        events.info("relay_started")
        while not stop.is_set():
            try:
                with closing(self.process.pool.connect()) as conn:
                    conn.autocommit = True
                    self._serve(conn, stop)
            except (BalansityError, psycopg2.Error) as error:
                self._tell(error)
                stop.wait(LOST_SECONDS)
            finally:
                self.doorbell.disconnected()
                self.bells = {}
        self.publisher.close()
        events.info("relay_stopped")

    def _serve(self, conn: Connection, stop: Event) -> None:
        shortest, longest = PAUSES_SECONDS
        pause, ask_at = shortest, 0.0
        while not stop.is_set():
            self._beat()
            if (now := time.monotonic()) >= ask_at:
                ask_at = now + longest
                self.queues = {row.queue_name: _route(row) for row in queries.broker.carried_queues(conn)}
            if sum(map(self._carry, self.queues)):
                self._wake_up(conn)
                pause = shortest
            elif self._slept(conn, min(pause, FULL_SECONDS) if self.full else pause):
                pause = min(2 * pause, longest)
            else:
                pause = shortest
            if self.trouble:
                events.info("relay_goes_on")
                self.trouble = ""

    def _beat(self) -> None:
        """Say now and then that a relay lives: where none does, somebody is told."""
        if (now := time.monotonic()) >= self.beat_at:
            with self.process.pool.single_statements() as conn:
                queries.broker.relay_lives(conn)
            self.beat_at = now + BEAT_SECONDS

    def _carry(self, queue_name: str) -> int:
        """Carry some of a queue, and of the pgmq queue that feeds it; how many messages."""
        return self._carry_some(self._from_queue, queue_name) + self._carry_some(self._from_pgmq, queue_name)

    def _carry_some(self, take: Take, queue_name: str) -> int:
        """Carry batch after batch while they are full: to look at the other queues costs more than to go on."""
        carried = 0
        for _ in range(AT_ONCE):
            self._beat()
            carried += (more := self._carry_batch(take, queue_name))
            if more < BATCH:
                break
        return carried

    def _carry_batch(self, take: Take, queue_name: str) -> int:
        if not self._has_room(queue_name):
            return 0
        try:
            with self.process.pool.transaction() as conn:
                rows = take(conn, queue_name, BATCH)
                self.publisher.publish([Packed(queue_name, row.priority, self._sealed(row.message)) for row in rows])
        except psycopg2.Error as error:
            if passes(error):
                raise
            if self._moved_singly(queue_name):
                return 1
            if self.refused.get(queue_name) != (why := quoteless(error)):
                events.error("queue_cannot_be_carried", queue=queue_name, error=why)
            self.refused[queue_name] = why
            return 0
        self.room[queue_name] -= len(rows)
        return len(rows)

    def _has_room(self, queue_name: str) -> bool:
        """Whether RabbitMQ may have a batch more of a queue; a full one is asked for now and then."""
        now = time.monotonic()
        if self.room.get(queue_name, 0) < BATCH and now >= self.full.get(queue_name, now):
            self.room[queue_name] = DEEPEST - self.publisher.waiting(queue_name)
            self.full.pop(queue_name, None)
            if self.room[queue_name] < BATCH:
                self.full[queue_name] = now + FULL_SECONDS
        return queue_name not in self.full

    def _from_queue(self, conn: Connection, queue_name: str, limit: int) -> list[Any]:
        return list(queries.broker.carry(conn, queue=queue_name, limit=limit))

    def _from_pgmq(self, conn: Connection, queue_name: str, limit: int) -> list[Any]:
        if not (route := self.queues[queue_name]):
            return []
        if self.process.seal:
            return SealedBridge(self.process, queue_name).passing(conn, route, limit)
        return list(queries.broker.carry_from_pgmq(conn, queue=queue_name, limit=limit))

    def _moved_singly(self, queue_name: str) -> bool:
        """Move one by one, to the queue, what pgmq holds and cannot be taken together; whether that led to anything."""
        if not (route := self.queues[queue_name]):
            return False
        if self.process.seal:
            return any(SealedBridge(self.process, queue_name).move_singly(route))
        with self.process.pool.transaction() as conn:
            moved, refused = queries.broker.bridge_singly(
                conn,
                queue=queue_name,
                pgmq_queue=route.pgmq_queue,
                actor=route.actor_name,
                limit=SINGLY,
                patience_seconds=SINGLY_SECONDS,
            )
        return bool(moved or refused)

    def _sealed(self, message: str) -> str:
        """A message as RabbitMQ may have it: what SQL sent is sealed here."""
        if not (seal := self.process.seal):
            return message
        try:
            fields = json.loads(message)
            if "sealed" in fields:
                return message
            return ENCODE(seal.message(fields, self.process.repertoire.readable(fields["actor_name"])))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):  # it becomes a dead letter there
            return ENCODE({"sealed": seal.close(message.encode())})

    def _slept(self, conn: Connection, seconds: float) -> bool:
        """Sleep so long at most; false where a bell has rung."""
        if not self.listen():
            time.sleep(seconds)
            return True
        self.doorbell.listen(conn, self.queues)
        awake = [queue_name for queue_name in self.queues if queue_name not in self.bells]
        self.bells |= {row.queue_name: row.bells for row in queries.broker.fall_asleep(conn, queues=awake)}
        waiting = select.poll()  # `select` would fail for a process of many files
        waiting.register(conn, select.POLLIN)
        waiting.poll(1000 * seconds)
        return not self.doorbell.rung(conn)

    def _wake_up(self, conn: Connection) -> None:
        """Let go of the bells: who looks anyway need not be rung for."""
        if self.bells:
            queries.broker.wake_up(conn, bells=[bell for bells in self.bells.values() for bell in bells])
            self.bells = {}

    def _tell(self, error: Exception) -> None:
        """Log a trouble once, until it is another one or over."""
        why = explained(error) if isinstance(error, psycopg2.Error) else str(error)
        if why != self.trouble:
            events.warning("relay_waits", error=why)
        self.trouble = why


def _route(row: Any) -> Route | None:
    return Route(row.pgmq_queue, row.actor_name) if row.pgmq_queue else None
