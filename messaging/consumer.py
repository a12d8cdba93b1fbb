"""The consumer: one queue's loop of exchanges, each acking what is finished and claiming what there is room for."""

import random
import time
from collections import deque
from typing import Any

import psycopg2
from dramatiq.broker import Consumer
from dramatiq.errors import ConnectionError as BrokerConnectionError
from psycopg2.errorcodes import QUERY_CANCELED

from db import queries
from db.connection import Connection
from db.trouble import is_lost, passes, quoteless
from log import EventLogger
from messaging.appetite import IDLE_SECONDS, Appetite, Exchange
from messaging.bridge import SINGLY, SINGLY_SECONDS, SealedBridge
from messaging.claim import Claim, fences, in_order
from messaging.process import Process
from messaging.pulse import MOST_RESCUES
from messaging.routes import Route
from messaging.settlement import Settlement
from messaging.unsealing import Unsealing

AUDIT_SECONDS = 10.0  # between looks for claims whose news never reached us
AUDIT_SHARE = 0.05  # of the time, at most, goes into those
POLL_SECONDS = (0.5, 1.0)  # between looks at a queue whose doorbell may not ring
LOOK_SECONDS = (0.8, 1.0)  # between looks at all that rest
REST_SECONDS = (5.0, 10.0)  # between looks at one of those
LOST_SECONDS = (0.1, 0.5)  # between tries to reach a lost database
BRIDGE_PAUSE_SECONDS = 5.0  # after pgmq failed, before it is asked again

events = EventLogger(__name__)


class PostgresConsumer(Consumer):
    """Consumes one queue.

    A lost database is waited out here rather than raised: what the worker holds stays valid under its fence, and the
    acks of what finishes meanwhile are kept. They belong to the process's Claims, so they outlive this object too.
    """

    def __init__(
        self, process: Process, queue_name: str, route: Route | None, *, threads: int, timeout_seconds: float
    ) -> None:
        self.process = process
        self.queue_name = queue_name
        self.route = route
        self.timeout_seconds = timeout_seconds
        self.claims = process.claims[queue_name]
        self.appetite = self.claims.appetite = Appetite(threads, exchanged_at=time.monotonic())
        self.settlement = Settlement(process, self.claims)
        self.sealed_bridge = SealedBridge(process, queue_name)
        self.unsealing = Unsealing(process, queue_name)
        self.ready: deque[Claim] = deque()
        self.trouble = ""  # what the database said last that was no answer
        self.lost_at = 0.0
        self.bridge_at = 0.0
        self.audit_at = 0.0

    def __next__(self) -> Claim | None:
        deadline = time.monotonic() + self.timeout_seconds
        while not self.ready:
            self._give_idle_back()
            self.claims.wake.clear()
            queue, load, now = self.claims.holding(), self.process.load(), time.monotonic()
            if self.appetite.is_due(queue, load, now):
                self._exchange(self.appetite.room(queue, load, now))
            elif self._rests() and self.process.watch.take(now, _jitter(LOOK_SECONDS)):
                self.process.look(max(LOOK_SECONDS))
            elif now >= deadline:
                return None
            else:
                if queue.rung and self.appetite.idle:  # every thread is busy
                    self.appetite.idle = False
                    self.process.pulse.pass_on(self.queue_name)
                until = self.appetite.wake_at(queue, now, deadline)
                if self._rests():
                    until = min(until, self.process.watch.look_at)
                self.claims.wake.wait(max(0.0, until - now))
        return self.ready.popleft()

    def ack(self, message: Any) -> None:
        """Note that a message is done; called by worker threads, written with the next exchange."""
        if self._is_claim(message) and not message.handed_back:
            self.settlement.ack(message)

    def nack(self, message: Any) -> None:
        """Make a message a dead letter; called by worker threads."""
        if self._is_claim(message):
            self.settlement.nack(message)

    def requeue(self, messages: Any) -> None:
        """Hand back what has not started, as Dramatiq asks at shutdown."""
        del messages  # they are ours: the claims that have not started
        self.claims.hand_back()
        self._flush()

    def close(self) -> None:
        self._flush()

    def _is_claim(self, message: Any) -> bool:
        """Whether a message was claimed here; of another there is nothing to write, as at Dramatiq's own brokers."""
        if not isinstance(message, Claim):
            events.warning("foreign_message_ignored", queue=self.queue_name, message_id=message.message_id)
        return isinstance(message, Claim)

    def _rests(self) -> bool:
        """Whether senders ring for this queue, here or at another process, and one look is made for all such queues."""
        return self.queue_name in self.process.pulse.rest.queues

    def _give_idle_back(self) -> None:
        """Hand back what waits for a thread too long, and leave it to idle workers for a moment."""
        now = time.monotonic()
        if self.claims.hand_back(now if self.process.pulse.closing else now - IDLE_SECONDS):
            self.appetite.overate(now, _jitter(POLL_SECONDS))

    def _exchange(self, limit: int) -> None:
        settled = _drained(self.claims.settled)
        returned = _drained(self.claims.returned)
        if limit:
            self.claims.rung = False
        began = time.monotonic()
        try:
            rows = self._call(settled, returned, limit, self.appetite.behind(began))
        except BaseException as error:
            self.claims.settled.extendleft(reversed(settled))
            self.claims.returned.extendleft(reversed(returned))
            if not isinstance(error, psycopg2.Error):
                raise
            self._wait_out(error)
            return
        self.claims.release([*settled, *returned])
        if settled:
            self._let_others_look()
        claimed = self._runnable(self.unsealing.claims(rows))
        self.claims.take(claimed)
        self.ready.extend(claimed)
        if self.process.pulse.may_have_lost(began):  # frozen in between, say
            self.claims.hand_back()
        now = time.monotonic()
        if self.appetite.lost:
            events.info("database_regained", queue=self.queue_name, seconds=round(now - self.lost_at))
            self.trouble = ""
        exchange = Exchange(began, len(settled), limit, [row[0] for row in rows])
        rests = self._rests()
        self.appetite.exchanged(exchange, now, _jitter(REST_SECONDS if rests and not exchange.full else POLL_SECONDS))
        if exchange.full:
            self.process.pulse.pass_on(self.queue_name)
        elif limit and self.appetite.idle != rests:
            self.process.pulse.nudge()

    def _let_others_look(self) -> None:
        """Wake the queues that have news, or hear of none because they do not rest, and found no thread free."""
        for claims in list(self.process.claims.values()):
            if (claims.rung or not claims.appetite.idle) and claims is not self.claims:
                claims.wake.set()

    def _call(self, settled: list[Claim], returned: list[Claim], limit: int, after: str | None) -> list[Any]:
        route = self.route if time.monotonic() >= self.bridge_at else None
        done = fences(claim for claim in settled if not claim.written)
        with self.process.pool.single_statements() as conn:
            if time.monotonic() >= self.audit_at:
                self._audit(conn, {*settled, *returned})
            if returned:
                queries.broker.requeue(conn, **fences(returned))
            if not route or self.process.seal:
                rows = self._ask(conn, done, limit, after, None)
            else:
                rows = self._ask_bridging(conn, done, limit, after, route)
        if route and limit and self.process.seal:
            rows += self._bridge_sealed(route, limit, len(rows), whole=after is None)
        if limit and not rows:
            self._expect_next(route)
        return rows

    def _ask_bridging(
        self, conn: Connection, done: dict[str, str], limit: int, after: str | None, route: Route
    ) -> list[Any]:
        try:
            rows = self._ask(conn, done, limit, after, route)
        except psycopg2.Error as error:
            if is_lost(error):
                raise
            # Without pgmq: the acks of what ran, and what was sent straight here, must not wait for it.
            self._tell("bridge_failed", error)
            self._ask(conn, done, 0, after, None)
            if not self._bridge_singly(conn, route, error):
                self.bridge_at = time.monotonic() + BRIDGE_PAUSE_SECONDS
            return self._ask(conn, fences([]), limit, after, None)
        self.trouble = ""
        return rows

    def _bridge_sealed(self, route: Route, limit: int, claimed: int, *, whole: bool) -> list[Any]:
        """As the exchange bridges, for messages that are encrypted on the way; what it claimed before is not lost."""
        try:
            rows = self.sealed_bridge.move(route, limit, claimed, whole=whole)
        except psycopg2.Error as error:
            self._tell("bridge_failed", error)
            if is_lost(error):
                self.audit_at = 0.0  # it may have committed
            elif not self._bridge_singly(None, route, error):
                self.bridge_at = time.monotonic() + BRIDGE_PAUSE_SECONDS
            return []
        self.trouble = ""
        return rows

    def _bridge_singly(self, conn: Connection | None, route: Route, error: psycopg2.Error) -> bool:
        """Move one by one what could not be moved together; whether that led to anything."""
        if passes(error) and error.pgcode != QUERY_CANCELED:  # that was our time limit: the batch may be too large
            return False
        try:
            if conn:
                moved, refused = queries.broker.bridge_singly(
                    conn,
                    queue=self.queue_name,
                    pgmq_queue=route.pgmq_queue,
                    actor=route.actor_name,
                    limit=SINGLY,
                    patience_seconds=SINGLY_SECONDS,
                )
            else:
                moved, refused = self.sealed_bridge.move_singly(route)
        except psycopg2.Error as another:
            if is_lost(another):
                raise
            return False
        if refused:
            events.error("pgmq_messages_refused", queue=self.queue_name, pgmq_queue=route.pgmq_queue, count=refused)
        return bool(moved or refused)

    def _expect_next(self, route: Route | None) -> None:
        """Remember when the next delayed message falls due, where that is before an idle worker would look again."""
        with self.process.pool.single_statements() as conn:
            seconds = queries.broker.next_due(conn, queue=self.queue_name, pgmq_queue=route and route.pgmq_queue)
        if seconds is not None and seconds < max(POLL_SECONDS):
            self.appetite.expect(time.monotonic() + seconds)

    def _ask(
        self, conn: Connection, done: dict[str, str], limit: int, after: str | None, route: Route | None
    ) -> list[Any]:
        return list(
            queries.broker.exchange(
                conn,
                worker=self.process.pulse.worker_id,
                queue=self.queue_name,
                done=done["ids"],
                attempts=done["attempts"],
                limit=limit,
                pgmq_queue=route and route.pgmq_queue,
                actor=route and route.actor_name,
                after=after,
            )
        )

    def _audit(self, conn: Connection, ended: set[Claim]) -> None:
        """See that each row that the database holds as ours is run by a thread, or its end is being written.

        What we never heard of (an exchange committed, its answer was lost) goes back. So does what its thread left
        without an end: something ended the thread, or was raised where Dramatiq awaits nothing.
        """
        began = time.monotonic()
        left = [claim for claim in list(self.claims.held) if not claim.is_run()]
        # Read last, for a thread leaves what it has settled; copied, for others append meanwhile.
        ended = {*ended, *list(self.claims.settled), *list(self.claims.returned)}
        if lost := [claim for claim in left if claim not in ended]:
            queries.broker.rescue_lost(conn, most_rescues=MOST_RESCUES, **fences(lost))
            self.claims.release(lost)
            events.error("lost_claims_rescued", queue=self.queue_name, count=len(lost))
        held = fences(self.claims.held)
        freed = queries.broker.free_unknown(conn, worker=self.process.pulse.worker_id, queue=self.queue_name, **held)
        if freed:
            events.warning("unknown_claims_freed", queue=self.queue_name, count=freed)
        now = time.monotonic()
        if now >= self.process.pulse.doorbell.try_at:
            self.process.pulse.doorbell.try_out(conn)
        self.audit_at = now + max(AUDIT_SECONDS, (now - began) / AUDIT_SHARE)

    def _runnable(self, claims: list[Claim]) -> list[Claim]:
        """The claims but for those that another version's worker can run, and this one cannot: these are set aside."""
        repertoire = self.process.repertoire
        strange = in_order(claim for claim in claims if not repertoire.can_run(claim))
        if not strange:
            return claims
        try:
            aside = self.process.call(
                "set_aside",
                queue=self.queue_name,
                **fences(strange),
                actors=[claim.actor_name for claim in strange],
                signatures=[repertoire.signature(claim.actor_name) for claim in strange],
                known=list(repertoire.actors),
            )
        except BrokerConnectionError:
            aside = [claim.message_id for claim in strange]  # the next audit frees them, and they come here again
        events.info("messages_set_aside", queue=self.queue_name, count=len(aside))
        return [claim for claim in claims if claim.message_id not in aside]

    def _wait_out(self, error: psycopg2.Error) -> None:
        self._tell("database_lost" if is_lost(error) else "exchange_failed", error)
        self.audit_at = 0.0
        if not self.appetite.lost:
            self.lost_at = time.monotonic()
        self.appetite.failed(time.monotonic(), _jitter(LOST_SECONDS))

    def _tell(self, event: str, error: psycopg2.Error) -> None:
        """Log a trouble once, until it is another one or over; a lost database may say another thing each time."""
        trouble = event if is_lost(error) else f"{event} {quoteless(error)}"
        if self.trouble != trouble:
            events.warning(event, queue=self.queue_name, error=quoteless(error))
        self.trouble = trouble

    def _flush(self) -> None:
        """Write what is settled or returned, without claiming more."""
        while self.claims.settled or self.claims.returned:
            self._exchange(0)
            if self.appetite.lost:
                raise BrokerConnectionError("The database is gone: others will rescue what this worker held.")


def _drained(items: deque[Any]) -> list[Any]:
    return [items.popleft() for _ in range(len(items))]


def _jitter(seconds: tuple[float, float]) -> float:
    return random.uniform(*seconds)  # noqa: S311 - so that workers do not fall into step
