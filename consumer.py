"""The consumer: one queue's loop of exchanges, each acking what is finished and claiming what there is room for."""

import random
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import psycopg2
from dramatiq.broker import Consumer
from dramatiq.errors import ConnectionError as BrokerConnectionError
from dramatiq.message import Message
from psycopg2.pool import PoolError

from claims import Claim
from log import EventLogger

if TYPE_CHECKING:
    from broker import PostgresBroker

LARGEST_BATCH = 128  # messages claimed at once
AHEAD_SECONDS = 0.05  # a worker holds what it will start within this time, and leaves the rest to others
LINGER_SECONDS = 0.005  # an ack waits at most this long for others to share its round trip
POLL_SECONDS = (0.5, 1.0)  # between looks at a queue whose doorbell may not ring
LOST_SECONDS = (0.1, 0.5)  # between tries to reach a lost database
MEMORY_SECONDS = 0.25  # how far back the rate of finished messages looks

events = EventLogger(__name__)


class PostgresConsumer(Consumer):
    """Consumes one queue.

    A lost database is waited out here rather than raised: what the worker holds stays valid under its fence, and the
    acks of what finishes meanwhile are kept. They belong to the broker's Claims, so they outlive this object too.
    """

    def __init__(self, broker: "PostgresBroker", queue_name: str, *, threads: int, timeout_seconds: float) -> None:
        self.broker = broker
        self.queue_name = queue_name
        self.threads = threads
        self.timeout_seconds = timeout_seconds
        self.route = broker.routes.get(queue_name)
        self.claims = broker.claims[queue_name]
        self.ready: deque[Claim] = deque()
        self.rate = 0.0  # messages finished a second, lately
        self.more = True  # whether the last claim left some waiting
        self.lost = False
        self.exchanged_at = time.monotonic()
        self.poll_at = 0.0

    def __next__(self) -> Claim | None:
        deadline = time.monotonic() + self.timeout_seconds
        while not self.ready:
            if self._exchange_is_due():
                self._exchange(self._room())
            elif time.monotonic() >= deadline:
                return None
            else:
                self._wait(deadline)
        return self.ready.popleft()

    def ack(self, message: Any) -> None:
        """Note that a message is done; called by worker threads, written with the next exchange."""
        if message.handed_back:
            return
        if message.retry_delay is not None:
            self._settle_now("retry", message, delay=message.retry_delay)
        else:
            self.claims.settle(message)

    def nack(self, message: Any) -> None:
        """Make a message a dead letter; called by worker threads."""
        if not message.started:
            self.claims.start(message)
        self._settle_now("reject", message)

    def requeue(self, messages: Any) -> None:
        """Hand back what has not started, as Dramatiq asks at shutdown."""
        del messages  # they are ours: the claims that have not started
        self.claims.hand_back()
        self._flush()

    def close(self) -> None:
        self._flush()

    def _exchange_is_due(self) -> bool:
        claims, now = self.claims, time.monotonic()
        rung = claims.wake.is_set()
        claims.wake.clear()
        if self.lost:
            return now >= self.poll_at
        if claims.returned:
            return True
        finished = len(claims.settled)
        if finished and (rung or finished >= LARGEST_BATCH // 2 or now >= self.exchanged_at + LINGER_SECONDS):
            return True
        room = self._room()
        return room > 0 and (rung or now >= self.poll_at or (self.more and room >= self._wanted() // 4))

    def _wanted(self) -> int:
        """How many messages to hold: what all threads will start soon."""
        return self.threads + int(self.rate * AHEAD_SECONDS)

    def _room(self) -> int:
        """How many more to claim. All queues share what is wanted, and each may hold at least one."""
        if self.broker.pulse.closing or not self.broker.pulse.worker_id:
            return 0
        finished = len(self.claims.settled)
        held = sum(claims.held for claims in self.broker.claims.values()) - finished
        return max(min(LARGEST_BATCH, self._wanted() - held), 1 if self.claims.held <= finished else 0)

    def _wait(self, deadline: float) -> None:
        now = time.monotonic()
        until = min(deadline, self.poll_at if self.lost or self._room() > 0 else deadline)
        if self.claims.settled and not self.lost:
            until = min(until, now + LINGER_SECONDS)
        self.claims.wake.wait(max(0.0, until - now))

    def _exchange(self, limit: int) -> None:
        settled = _drained(self.claims.settled)
        returned = _drained(self.claims.returned)
        try:
            rows = self._call(settled, returned, limit)
        except (psycopg2.OperationalError, psycopg2.InterfaceError, PoolError) as error:
            self.claims.settled.extendleft(reversed(settled))
            self.claims.returned.extendleft(reversed(returned))
            self._wait_out(error)
            return
        self.claims.held -= len(settled) + len(returned)
        claimed = [claim for row in rows if (claim := self._claim(*row))]
        self.claims.take(claimed)
        self.ready.extend(claimed)
        self._note(len(settled), more=0 < limit <= len(rows))

    def _call(self, settled: list[Claim | None], returned: list[Claim], limit: int) -> list[Any]:
        with self.broker.pool.transaction() as conn:
            if returned:
                self.broker.sql.requeue(conn, **_fences(returned))
            done = _fences(claim for claim in settled if claim)
            return list(
                self.broker.sql.exchange(
                    conn,
                    worker=self.broker.pulse.worker_id,
                    queue=self.queue_name,
                    done=done["ids"],
                    attempts=done["attempts"],
                    limit=limit,
                    pgmq_queue=self.route and self.route.pgmq_queue,
                    actor=self.route and self.route.actor_name,
                )
            )

    def _note(self, finished: int, *, more: bool) -> None:
        """Remember how fast messages finish, whether more wait, and when to look again."""
        now = time.monotonic()
        elapsed = max(now - self.exchanged_at, 0.001)
        self.rate += min(1.0, elapsed / MEMORY_SECONDS) * (finished / elapsed - self.rate)
        self.exchanged_at = now
        self.more = more
        self.poll_at = now + random.uniform(*POLL_SECONDS)  # noqa: S311 - jitter
        if self.lost:
            events.info("database_regained", queue=self.queue_name)
            self.lost = False

    def _claim(self, message_id: str, attempt: int, priority: int, fields: dict[str, Any]) -> Claim | None:
        try:
            fields["options"].pop("eta", None)  # due now, whatever an older producer wrote
            return Claim(Message(**fields), attempt, priority)
        except (AttributeError, KeyError, TypeError) as error:
            reason = f"Message {message_id} is not a Dramatiq message: {error}"
            self.broker.call("reject", id=message_id, attempt=attempt, message=None, error=reason)
            events.error("message_dead_lettered", queue=self.queue_name, message_id=message_id, reason="not a message")
            return None

    def _settle_now(self, how: str, claim: Claim, **arguments: Any) -> None:
        """Retry or reject under the fence; a lost connection is raised, so that Dramatiq tries again."""
        self.broker.call(
            how, id=claim.message_id, attempt=claim.attempt, message=claim.encoded(), error=claim.failure(), **arguments
        )
        self.claims.settle(None)
        event = "message_retried" if how == "retry" else "message_dead_lettered"
        events.info(event, queue=self.queue_name, actor=claim.actor_name, message_id=claim.message_id, **arguments)

    def _wait_out(self, error: Exception) -> None:
        if not self.lost:
            events.warning("database_lost", queue=self.queue_name, error=str(error).strip())
        self.lost = True
        self.poll_at = time.monotonic() + random.uniform(*LOST_SECONDS)  # noqa: S311 - jitter

    def _flush(self) -> None:
        """Write what is settled or returned, without claiming more."""
        while self.claims.settled or self.claims.returned:
            self._exchange(0)
            if self.lost:
                raise BrokerConnectionError("The database is gone: others will rescue what this worker held.")


def _drained(items: deque[Any]) -> list[Any]:
    return [items.popleft() for _ in range(len(items))]


def _fences(claims: Iterable[Claim]) -> dict[str, list[Any]]:
    listed = list(claims)
    return {"ids": [claim.message_id for claim in listed], "attempts": [claim.attempt for claim in listed]}
