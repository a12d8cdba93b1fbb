"""The broker: Dramatiq messages in PostgreSQL, claimed in batches, acked under a fence, bridged from pgmq.

A message is claimed by one worker under an attempt number; whatever the worker later says of it (ack, retry, nack)
counts only while that attempt is the current one. So a worker that was given up for dead can change nothing.
Queue semantics live in SQL (db/migrations/broker/); here they meet Dramatiq's interfaces.
"""

import inspect
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from io import StringIO
from typing import Any

import dramatiq
import dramatiq_pg
import psycopg2
from dramatiq.errors import ConnectionError as BrokerConnectionError
from dramatiq.errors import QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    GroupCallbacks,
    Pipelines,
    Retries,
    ShutdownNotifications,
    TimeLimit,
)
from dramatiq.results import Results
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

import log
from db import queries
from db.connection import LOST_CONNECTION, Connection, Pool, is_lost
from errors import InvalidMessage
from log import EventLogger
from messaging.claims import Claim, Claims, ClaimsMiddleware
from messaging.consumer import PostgresConsumer
from messaging.encoding import BETWEEN, encoded, milliseconds, rank, refused, unfit_queue
from messaging.limits import PostgresLimits
from messaging.pulse import Pulse
from messaging.results import PostgresResults
from messaging.routes import RouteOption, Routes
from messaging.stopping import StopOnce

SEND_ATTEMPTS = 3
NETWORK_MILLISECONDS = 5_000  # that a statement needs to the server, at most
JOIN_POLL_SECONDS = 0.05
FEWEST_COPIED = 64  # messages; for fewer, the round trips of a transaction cost more than copying saves
COPY = "COPY dramatiq.queue (message_id, queue_name, state, message, priority, available_at, delayed) FROM STDIN"

events = EventLogger(__name__)


class PostgresBroker(dramatiq_pg.PostgresBroker):  # type: ignore[misc] # dramatiq-pg publishes no types
    """A Dramatiq broker on the tables of schema `dramatiq`; it opens no connection before it is used."""

    def __init__(self, pool: Pool, listen: Callable[[], bool] = lambda: True) -> None:
        self.listen = listen  # or only poll, where a pooler carries no LISTEN
        middleware = [
            AgeLimit(),
            TimeLimit(),
            ShutdownNotifications(),
            Callbacks(),
            Pipelines(),
            Retries(),
            CurrentMessage(),
            Results(backend=PostgresResults(pool)),
            GroupCallbacks(PostgresLimits(pool)),
        ]
        self.listeners: dict[str, list[dramatiq.Middleware]] = {}  # by hook
        super().__init__(pool=pool, schema="dramatiq", prefix="", middleware=middleware, results=False)
        self.routes = Routes()
        self.add_middleware(RouteOption())
        self.add_middleware(ClaimsMiddleware())
        self.add_middleware(StopOnce())
        self.claims: dict[str, Claims] = {}
        self.pulse = Pulse(self)
        self.caller = threading.local()  # the transaction that sends of this thread join
        log.hide_payloads()

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue; there are no delay queues, delays live in the table."""
        if queue_name in self.queues:
            return
        if problem := unfit_queue(queue_name):
            raise ValueError(problem)
        self.emit_before("declare_queue", queue_name)
        self.claims[queue_name] = Claims()
        self.queues[queue_name] = True
        self.emit_after("declare_queue", queue_name)

    def declare_actor(self, actor: Any) -> None:
        """Declare an actor, and its route where it has one.

        Raises:
            SettingsError: pgmq cannot carry that name, or the actor's queue has another route.
        """
        if pgmq_queue := actor.options.get("pgmq_queue"):
            self.routes.add(actor.queue_name, pgmq_queue, actor.actor_name)
        super().declare_actor(actor)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> PostgresConsumer:
        """Start consuming; `prefetch` is Dramatiq's two messages a thread, `timeout` is in milliseconds."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        self.pulse.start_once()
        return PostgresConsumer(self, queue_name, threads=max(1, prefetch // 2), timeout_seconds=timeout / 1000)

    def enqueue(self, message: Any, *, delay: float | timedelta | None = None) -> Any:
        """Enqueue a message, due in `delay` milliseconds, in the caller's transaction where there is one.

        A retry of a message that this process runs is only noted here: it is written, under the claim's fence, in
        place of the ack. Dramatiq re-enqueues in a hook whose errors it swallows, and acks regardless.
        """
        if isinstance(message, Claim):
            self.emit_before("enqueue", message, delay)
            message.retry_delay = milliseconds(delay)
            self.emit_after("enqueue", message, delay)
            return message
        self.enqueue_many([message], delay=delay)
        return message

    def add_middleware(self, *arguments: Any, **options: Any) -> None:
        super().add_middleware(*arguments, **options)
        self.listeners.clear()

    def emit_before(self, signal: str, *arguments: Any, **options: Any) -> None:
        if self._listening(f"before_{signal}"):
            super().emit_before(signal, *arguments, **options)

    def emit_after(self, signal: str, *arguments: Any, **results: Any) -> None:
        """Tell the middleware what happened, as Dramatiq does; but a message is not done before its hooks are.

        Hooks send the next message of a pipeline and keep results. Where they could not, for want of the database, the
        message runs again; where they never will, it becomes a dead letter, and so does a failure that no hook retries.
        """
        listening = self._listening(f"after_{signal}")
        if signal != "process_message" or not isinstance(claim := arguments[0], Claim):
            if listening:
                super().emit_after(signal, *arguments, **results)
            return
        for middleware in reversed(listening):
            try:
                middleware.after_process_message(self, claim, **results)
            except (BrokerConnectionError, *LOST_CONNECTION):
                claim.interrupted = True
            except InvalidMessage as error:
                claim.fail()  # type: ignore[no-untyped-call]
                claim.stuff_exception(error)  # type: ignore[no-untyped-call]
            except Exception:  # noqa: BLE001 - a guest's hook; Dramatiq, too, logs it and goes on
                events.error("hook_failed", middleware=type(middleware).__name__, with_traceback=True)
        if results.get("exception") and claim.retry_delay is None and not claim.interrupted:
            claim.fail()  # type: ignore[no-untyped-call]

    def enqueue_many(self, messages: Iterable[Any], *, delay: float | timedelta | None = None) -> None:
        """Enqueue messages in one statement, due in `delay` milliseconds: all of them or none.

        Raises:
            InvalidMessage: one of them cannot be stored; it is named.
            dramatiq.errors.ConnectionError: the database cannot be reached.
        """
        batch = list(messages)
        if self._listening("before_enqueue"):
            for message in batch:
                self.emit_before("enqueue", message, delay)
        if batch:
            self._store(batch, milliseconds(delay))
        if self._listening("after_enqueue"):
            for message in batch:
                self.emit_after("enqueue", message, delay)

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[None]:
        """What this thread sends in the block exists if and only if the transaction of `connection` commits.

        Raises:
            ValueError: the connection has none: it is in autocommit mode.
        """
        if connection.autocommit and connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            raise ValueError("The connection is in autocommit mode: what is sent could not be rolled back with it.")
        outer = getattr(self.caller, "connection", None)
        self.caller.connection = connection
        try:
            yield
        finally:
            self.caller.connection = outer

    def publish_actors(self, connection: Connection, *, retire: bool = False) -> None:
        """Tell SQL which actors exist and what they accept; with `retire`, that there are no others."""
        for actor in self.actors.values():
            described = self._described(actor)
            queries.broker.free_route(connection, name=described["name"], pgmq_queue=described["pgmq_queue"])
            queries.broker.publish_actor(connection, **described)
        if retire:
            queries.broker.retire_actors(connection, names=list(self.actors))

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait, `timeout` milliseconds at most, until a queue and the pgmq queue that feeds it are worked off."""
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        route = self.routes.get(queue_name)
        while self.call("unfinished", queue=queue_name, pgmq_queue=route and route.pgmq_queue):
            if deadline and time.monotonic() > deadline:
                raise QueueJoinTimeout(queue_name)
            time.sleep(JOIN_POLL_SECONDS)

    def flush(self, queue_name: str) -> None:
        """Drop the messages of a queue that nobody has claimed; what still waits in pgmq stays there."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        self.call("flush", queue=queue_name)

    def flush_all(self) -> None:
        for queue_name in self.queues:
            self.flush(queue_name)

    def close(self) -> None:
        self.pulse.stop()
        self.pool.closeall()

    def call(self, name: str, **arguments: Any) -> Any:
        """Run one of the named queries in a transaction of its own."""
        try:
            with self.pool.transaction() as conn:
                return getattr(queries.broker, name)(conn, **arguments)
        except LOST_CONNECTION as error:
            raise BrokerConnectionError(str(error)) from error

    def _listening(self, hook: str) -> list[dramatiq.Middleware]:
        """The middleware that does something at a hook: asking the others is a tenth of a short message's time."""
        if hook not in self.listeners:
            idle = getattr(dramatiq.Middleware, hook)
            self.listeners[hook] = [each for each in self.middleware if getattr(type(each), hook, None) is not idle]
        return self.listeners[hook]

    def _store(self, batch: list[Any], delay: int) -> None:
        messages = [encoded(each) for each in batch]
        priorities = [self._priority(each) for each in batch]
        caller = getattr(self.caller, "connection", None)
        began, tried = time.monotonic(), None
        for _ in range(SEND_ATTEMPTS):
            new = len(batch) >= FEWEST_COPIED and not tried and not caller
            try:
                if new and self._copied(batch, messages, priorities, delay):
                    return
                with nullcontext(caller) if caller else self.pool.single_statements() as conn:
                    text = BETWEEN.join(messages)
                    queries.broker.enqueue(conn, messages=text, priorities=priorities, delay=delay, tried=tried)
                    return
            except psycopg2.DataError as error:
                raise refused(batch, error.diag.message_detail or error.diag.message_primary or "") from None
            except LOST_CONNECTION as error:
                lost = error
                if caller or not is_lost(error):
                    break
                tried = int(1000 * (time.monotonic() - began)) + NETWORK_MILLISECONDS
        raise BrokerConnectionError(str(lost)) from lost

    def _copied(self, batch: list[Any], messages: list[str], priorities: list[int], delay: int) -> bool:
        """Copy new messages in, at half the price of inserting them; false, with nothing done, where one exists."""
        try:
            with self.pool.transaction() as conn, conn.cursor() as cursor:
                due = f"{queries.broker.due(conn, delay=delay)}\t{delay > 0}"
                lines = [
                    f"{each.message_id}\t{each.queue_name}\tqueued\t{message}\t{priority}\t{due}\n"
                    for each, message, priority in zip(batch, messages, priorities, strict=True)
                ]
                cursor.copy_expert(COPY, StringIO("".join(lines).replace("\\", r"\\")))
                queries.broker.ring(conn, queues=list({each.queue_name for each in batch}))
        except UniqueViolation:
            return False
        return True

    def _priority(self, message: Any) -> int:
        """Higher first, as in SQL and `broker_priority`; an actor's own `priority` is Dramatiq's, lower first."""
        actor = self.actors.get(message.actor_name)
        return rank(message, -actor.priority if actor else 0)

    def _described(self, actor: Any) -> dict[str, Any]:
        parameters = inspect.signature(actor.fn).parameters.values()
        named = [each for each in parameters if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}]
        return {
            "name": actor.actor_name,
            "queue_name": actor.queue_name,
            "priority": -actor.priority,
            "required": actor.options.get("required") or [each.name for each in named if each.default is each.empty],
            "accepted": None
            if any(each.kind is each.VAR_KEYWORD for each in parameters)
            else [each.name for each in named],
            "pgmq_queue": actor.options.get("pgmq_queue"),
        }
