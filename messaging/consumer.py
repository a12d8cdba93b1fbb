"""The consumer: one queue's loop of exchanges, each acking what is finished and claiming what there is room for."""

import json
import random
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg2
from dramatiq.broker import Consumer
from dramatiq.errors import ConnectionError as BrokerConnectionError
from dramatiq.message import Message

from db import queries
from db.connection import Connection, is_lost
from log import EventLogger, first_line
from messaging.claims import Claim
from messaging.pulse import SILENCE_SECONDS
from messaging.routes import Route

if TYPE_CHECKING:
    from messaging.broker import PostgresBroker

LARGEST_BATCH = 512  # messages claimed at once
AHEAD_SECONDS = 0.05  # a worker holds what it will start within this time, and leaves the rest to others
IDLE_SECONDS = 1.0  # what did not start within this time goes back: it was short work once, and is long now
AUDIT_SECONDS = 10.0  # between looks for claims whose news never reached us
INTERRUPTED_DELAY = 1_000  # milliseconds before a message runs again whose ending the database missed
LINGER_SECONDS = 0.005  # an ack waits at most this long for others to share its round trip
POLL_SECONDS = (0.5, 1.0)  # between looks at a queue whose doorbell may not ring
LOST_SECONDS = (0.1, 0.5)  # between tries to reach a lost database
WHOLE_LOOK_SECONDS = 0.3  # at least, between claims that begin at the start of the queue
WHOLE_LOOK_SHARE = 0.1  # of the time, at most, goes into those
MEMORY_SECONDS = 0.25  # how far back the rate of finished messages looks
BRIDGE_PAUSE_SECONDS = 5.0  # after pgmq failed, before it is asked again

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
        self.lost = False
        self.trouble = ""  # what the database said last that was no answer
        self.bridge_at = 0.0
        self.exchanged_at = time.monotonic()
        self.poll_at = 0.0
        self.audit_at = 0.0
        self.modest_until = 0.0
        self.last_claimed: str | None = None  # behind which more may wait
        self.whole_look_at = 0.0

    def __next__(self) -> Claim | None:
        deadline = time.monotonic() + self.timeout_seconds
        while not self.ready:
            self._give_idle_back()
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
        if message.interrupted:
            self._settle_now("retry", message, options=None, delay=INTERRUPTED_DELAY)
        elif message.retry_delay is not None:
            self._settle_now("retry", message, options=message.new_options(), delay=message.retry_delay)
        else:
            self.claims.settle(message)

    def nack(self, message: Any) -> None:
        """Make a message a dead letter; called by worker threads."""
        self.claims.start(message)  # one for an unknown actor comes here without having started
        if message.interrupted:
            self.ack(message)
        else:
            self._settle_now("reject", message, options=message.new_options())

    def requeue(self, messages: Any) -> None:
        """Hand back what has not started, as Dramatiq asks at shutdown."""
        del messages  # they are ours: the claims that have not started
        self.claims.hand_back()
        self._flush()

    def close(self) -> None:
        self._flush()

    def _give_idle_back(self) -> None:
        """Hand back what waits for a thread too long, and leave it to idle workers for a moment."""
        now = time.monotonic()
        if self.claims.hand_back(now if self.broker.pulse.closing else now - IDLE_SECONDS):
            self.claims.rate = 0.0
            self.modest_until = now + random.uniform(*POLL_SECONDS)  # noqa: S311 - jitter

    def _exchange_is_due(self) -> bool:
        claims, now = self.claims, time.monotonic()
        claims.wake.clear()
        if self.lost:
            return now >= self.poll_at
        if claims.returned:
            return True
        finished = len(claims.settled)
        alone = finished >= len(claims.held)  # nothing else runs: none will come to share the round trip
        if finished and (claims.rung or alone or now >= self._linger_until() or finished >= LARGEST_BATCH // 2):
            return True
        room = self._room()
        return room > 0 and (
            claims.rung or now >= self.poll_at or (claims.more and room >= self._share(self.threads) // 2)
        )

    def _room(self) -> int:
        """How many more to claim: what is wanted and not held, or what is missing to this queue's share of it.

        Where all threads are busy for long, the share is claimed at the next poll only: what is new is left to whoever
        is idle and hears the doorbell.
        """
        if self.broker.pulse.closing or not self.broker.pulse.worker_id:
            return 0
        everyone = list(self.broker.claims.values())
        held = sum(len(claims.held) - len(claims.settled) for claims in everyone)
        room = self.threads + self._ahead() - held
        now = time.monotonic()
        if now >= self.modest_until and (self._ahead() or now >= self.poll_at):
            room = max(room, self._share(0) - len(self.claims.held) + len(self.claims.settled))
        return max(0, min(LARGEST_BATCH, room))

    def _ahead(self) -> int:
        """How many messages of all queues will start soon, beyond those that the threads run."""
        return int(sum(claims.rate for claims in list(self.broker.claims.values())) * AHEAD_SECONDS)

    def _share(self, threads: int) -> int:
        """This queue's part of what is wanted for so many threads; queues that have work get equal parts."""
        rivals = sum(1 for claims in list(self.broker.claims.values()) if claims.held or claims.more)
        return max(1, (threads + self._ahead()) // max(1, rivals))

    def _linger_until(self) -> float:
        return self.exchanged_at + (AHEAD_SECONDS / 2 if self.claims.more else LINGER_SECONDS)

    def _wait(self, deadline: float) -> None:
        now = time.monotonic()
        until = min(deadline, self.poll_at) if now < self.poll_at else deadline
        if self.claims.settled and not self.lost:
            until = min(until, self._linger_until())
        if self.claims.unstarted:
            until = min(until, now + IDLE_SECONDS)
        self.claims.wake.wait(max(0.0, until - now))

    def _exchange(self, limit: int) -> None:
        settled = _drained(self.claims.settled)
        returned = _drained(self.claims.returned)
        if limit:
            self.claims.rung = False
        began = time.monotonic()
        after = self.last_claimed if began < self.whole_look_at else None
        try:
            rows = self._call(settled, returned, limit, after)
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
        claimed = [claim for row in rows if (claim := self._claim(*row))]
        self.claims.take(claimed)
        self.ready.extend(claimed)
        if time.monotonic() > began + SILENCE_SECONDS:  # frozen in between: others may have rescued them
            self.claims.hand_back()
        full = 0 < limit <= len(rows)
        if limit:
            self.last_claimed = rows[-1][0] if full else None
        if after is None:
            self.whole_look_at = began + max(WHOLE_LOOK_SECONDS, (time.monotonic() - began) / WHOLE_LOOK_SHARE)
        self._note(len(settled), more=full or after is not None)

    def _let_others_look(self) -> None:
        """Wake the queues that have news and found no thread free."""
        for claims in list(self.broker.claims.values()):
            if claims.rung and claims is not self.claims:
                claims.wake.set()

    def _call(self, settled: list[Claim], returned: list[Claim], limit: int, after: str | None) -> list[Any]:
        with self.broker.pool.single_statements() as conn:
            if time.monotonic() >= self.audit_at:
                self._audit(conn)
            if returned:
                queries.broker.requeue(conn, **_fences(returned))
            done = _fences(claim for claim in settled if not claim.written)
            route = self.route if time.monotonic() >= self.bridge_at else None
            try:
                rows = self._ask(conn, done, limit, after, route)
            except psycopg2.Error as error:
                if not route or is_lost(error):
                    raise
                # Without pgmq: the acks of what ran, and what was sent straight here, must not wait for it.
                self._tell("bridge_failed", error)
                self.bridge_at = time.monotonic() + BRIDGE_PAUSE_SECONDS
                return self._ask(conn, done, limit, after, None)
            if route:
                self.trouble = ""
            return rows

    def _ask(
        self, conn: Connection, done: dict[str, list[Any]], limit: int, after: str | None, route: Route | None
    ) -> list[Any]:
        return list(
            queries.broker.exchange(
                conn,
                worker=self.broker.pulse.worker_id,
                queue=self.queue_name,
                done=done["ids"],
                attempts=done["attempts"],
                limit=limit,
                pgmq_queue=route and route.pgmq_queue,
                actor=route and route.actor_name,
                after=after,
            )
        )

    def _audit(self, conn: Connection) -> None:
        """Free what the database holds as ours and we never heard of: an exchange committed, its answer was lost."""
        held = _fences(self.claims.held)
        freed = queries.broker.free_unknown(conn, worker=self.broker.pulse.worker_id, queue=self.queue_name, **held)
        if freed:
            events.warning("unknown_claims_freed", queue=self.queue_name, count=freed)
        self.audit_at = time.monotonic() + AUDIT_SECONDS

    def _note(self, finished: int, *, more: bool) -> None:
        """Remember how fast messages finish, whether more wait, and when to look again."""
        now = time.monotonic()
        elapsed = max(now - self.exchanged_at, 0.001)
        self.claims.rate += min(1.0, elapsed / MEMORY_SECONDS) * (finished / elapsed - self.claims.rate)
        self.exchanged_at = now
        self.claims.more = more
        self.poll_at = now + random.uniform(*POLL_SECONDS)  # noqa: S311 - jitter
        if self.lost:
            events.info("database_regained", queue=self.queue_name)
            self.lost = False
            self.trouble = ""

    def _claim(self, message_id: str, attempt: int, priority: int, encoded: str) -> Claim | None:
        try:
            fields = json.loads(encoded)  # here and not by psycopg2: one that cannot be decoded must not fail the batch
            fields["options"].pop("eta", None)  # due now, whatever an older producer wrote
            fields |= {"message_id": message_id, "queue_name": self.queue_name}  # by these it is settled
            return Claim(Message(**fields), attempt, priority)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            reason = f"Message {message_id} is not a Dramatiq message: {error}"
            with suppress(BrokerConnectionError):  # then the next audit frees it, and it comes here again
                self.broker.call("reject", id=message_id, attempt=attempt, options=None, error=reason)
            events.error("message_dead_lettered", queue=self.queue_name, message_id=message_id, reason="not a message")
            return None

    def _settle_now(self, how: str, claim: Claim, **arguments: Any) -> None:
        """Retry or reject under the fence; a lost connection is raised, so that Dramatiq tries again."""
        fence = {"id": claim.message_id, "attempt": claim.attempt}
        try:
            ours = self.broker.call(how, **fence, error=claim.failure(), **arguments)
        except psycopg2.Error as error:
            how = "reject"
            reason = f"It could not be settled: {first_line(error)}"
            ours = self.broker.call(how, **fence, options=None, error=reason)
        claim.written = True
        self.claims.settle(claim)
        event = {"retry": "message_retried", "reject": "message_dead_lettered"}[how] if ours else "claim_was_taken_over"
        events.info(event, queue=self.queue_name, actor=claim.actor_name, message_id=claim.message_id)

    def _wait_out(self, error: psycopg2.Error) -> None:
        self._tell("database_lost" if is_lost(error) else "exchange_failed", error)
        self.lost = True
        self.audit_at = 0.0
        self.poll_at = time.monotonic() + random.uniform(*LOST_SECONDS)  # noqa: S311 - jitter

    def _tell(self, event: str, error: psycopg2.Error) -> None:
        """Log a trouble once, until it is another one or over."""
        if self.trouble != (trouble := f"{event} {first_line(error)}"):
            events.warning(event, queue=self.queue_name, error=first_line(error))
        self.trouble = trouble

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
