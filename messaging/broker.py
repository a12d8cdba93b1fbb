"""The broker: Dramatiq messages in PostgreSQL, claimed in batches, acked under a fence, bridged from pgmq.

A message is claimed by one worker under an attempt number; whatever the worker later says of it (ack, retry, nack)
counts only while that attempt is the current one. So a worker that was given up for dead can change nothing.
Queue semantics live in SQL (db/migrations/broker/); here they meet Dramatiq's interfaces.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dramatiq_pg
from dramatiq.errors import QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    GroupCallbacks,
    Middleware,
    Pipelines,
    Retries,
    ShutdownNotifications,
    TimeLimit,
)
from dramatiq.results import Results

import log
from db import queries
from db.connection import Connection, Pool
from errors import DeadLettered
from messaging import contract
from messaging.again import comes_again
from messaging.claim import Claim
from messaging.claims import Claims
from messaging.consumer import PostgresConsumer
from messaging.custody import Custody
from messaging.encoding import milliseconds, rank, unfit_queue
from messaging.groups import CountedGroups
from messaging.intake import Intake
from messaging.lines import LineOptions, check_options
from messaging.listeners import ONLY_ONCE, Listeners
from messaging.process import Process
from messaging.pulse import SILENCE_SECONDS, Pulse
from messaging.repertoire import Repertoire
from messaging.results import PostgresResults
from messaging.routes import Route, RouteOption, Routes
from messaging.seal import Seal
from messaging.stopping import StopOnce
from messaging.vault import Vault

JOIN_POLL_SECONDS = 0.05
ENDS = ("process_message", "skip_message")  # of a run
POOL_SIZE = 10  # of a broker's own pool; a worker takes what its threads need


class PostgresBroker(dramatiq_pg.PostgresBroker):  # type: ignore[misc] # dramatiq-pg publishes no types
    """A Dramatiq broker on the tables of schema `dramatiq`; it opens no connection before it is used."""

    def __init__(  # noqa: PLR0913 - each by its name, and each has a default
        self,
        pool: Pool | None = None,
        *,
        url: str | None = None,
        middleware: Iterable[Middleware] | None = None,
        listen: Callable[[], bool] = lambda: True,
        silence_seconds: float = SILENCE_SECONDS,
        keys: Callable[[], Iterable[bytes]] = tuple,
    ) -> None:
        """On a pool, or on one of its own at `url`; `middleware` is, as at Dramatiq, instead of what is built in.

        Without `listen` workers only poll; one that is silent for `silence_seconds` is dead to the others. With `keys`,
        of 32 bytes each, what messages and results say is encrypted with the first and read with all of them.

        Raises:
            TypeError: there are both or neither, or the pool is another kind of pool.
        """
        pool = _pool(pool, url, listen)
        self.seal = Seal(keys)
        self.intake = Intake(pool, self.seal, self._readable, self._line)
        middleware = _built_in(self.intake) if middleware is None else list(middleware)
        self.listeners = Listeners([], self.intake)
        super().__init__(pool=pool, schema="dramatiq", prefix="", middleware=middleware, results=False)
        self.routes = Routes()
        claims: dict[str, Claims] = {}
        repertoire = Repertoire(self.actors, self.seal)
        self.pulse = Pulse(pool.connect, repertoire, claims, listen=listen, silence_seconds=silence_seconds)
        self.process = Process(pool, claims, self.pulse, repertoire)
        self.vault = Vault(repertoire)
        self.add_middleware(RouteOption())
        self.add_middleware(LineOptions())
        self.add_middleware(Custody(self.process))
        self.add_middleware(StopOnce())
        log.hide_payloads(comes_again)

    def add_middleware(
        self, middleware: Middleware, *, before: type[Middleware] | None = None, after: type[Middleware] | None = None
    ) -> None:
        """Add a middleware; one of a kind that may stand only once takes the place of the one that was there.

        Two that count a group's members, send a pipeline's next message or retry would each do it: once too often.
        """
        if type(middleware) is GroupCallbacks:  # it counts calls; ours counts each member once, in the same database
            middleware = CountedGroups(self.intake)
        kind = next((each for each in ONLY_ONCE if isinstance(middleware, each)), None)
        old = next((each for each in self.middleware if kind and isinstance(each, kind)), None)
        if not old:
            super().add_middleware(middleware, before=before, after=after)
            return
        place = self.middleware.index(old)
        self.middleware.remove(old)
        super().add_middleware(middleware, before=before, after=after)
        if not before and not after:
            self.middleware.insert(place, self.middleware.pop())

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue; there are no delay queues, delays live in the table."""
        if queue_name in self.queues:
            return
        if problem := unfit_queue(queue_name):
            raise ValueError(problem)
        self.emit_before("declare_queue", queue_name)
        self.process.claims[queue_name] = Claims()
        self.queues[queue_name] = True
        self.emit_after("declare_queue", queue_name)

    def declare_actor(self, actor: Any) -> None:
        """Declare an actor, and its route where it has one.

        Raises:
            SettingsError: pgmq cannot carry that name, the actor's queue has another route, or its key is none.
        """
        check_options(actor)
        if pgmq_queue := actor.options.get("pgmq_queue"):
            self.routes.add(actor.queue_name, pgmq_queue, actor.actor_name)
        super().declare_actor(actor)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> PostgresConsumer:
        """Start consuming; `prefetch` is Dramatiq's two messages a thread, `timeout` is in milliseconds."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        self.pulse.start_once()
        self.listeners = Listeners(
            self.middleware, self.intake
        )  # hooks may have been set since on an object that was there
        route, threads = self.routes.get(queue_name), max(1, prefetch // 2)
        return self._consumer(queue_name, route, threads=threads, timeout_seconds=timeout / 1000)

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

    def emit_before(self, signal: str, *arguments: Any, **options: Any) -> None:
        if signal == "enqueue":
            super().emit_before(signal, *arguments, **options)
        else:
            self._listeners().tell(self, f"before_{signal}", *arguments, **options)

    def emit_after(self, signal: str, *arguments: Any, **results: Any) -> None:
        listeners = self._listeners()
        if signal in ENDS and isinstance(claim := arguments[0], Claim):
            listeners.conclude(self, f"after_{signal}", claim, **results)
        elif signal == "enqueue" or listeners[f"after_{signal}"]:
            super().emit_after(signal, *arguments, **results)

    def enqueue_many(self, messages: Iterable[Any], *, delay: float | timedelta | None = None) -> None:
        """Enqueue messages in one statement, due in `delay` milliseconds: all of them or none.

        Raises:
            InvalidMessage: one of them cannot be stored; it is named.
            dramatiq.errors.ConnectionError: the database cannot be reached.
        """
        batch = list(messages)
        if self._listeners().at("before_enqueue"):
            for message in batch:
                self.emit_before("enqueue", message, delay)
        if batch:
            self._store(batch, [self._priority(each) for each in batch], milliseconds(delay))
        if self._listeners().at("after_enqueue"):
            for message in batch:
                self.emit_after("enqueue", message, delay)

    @contextmanager
    def transaction(self, connection: Connection) -> Iterator[None]:
        """What this thread or task sends in the block exists if and only if the transaction of `connection` commits.

        Raises:
            ValueError: the connection has none: it is in autocommit mode.
        """
        with self.intake.joining(connection):
            yield

    def publish_actors(self, connection: Connection, *, retire: bool = False) -> None:
        """Tell SQL of actors that it never knew; with `retire`, what all of them accept, and that there are no others.

        A process that starts does the former, for another version's may be running; the latter is a deploy's.
        """
        publish = contract.publish if retire else contract.introduce
        publish(connection, self.actors.values())

    def join(self, queue_name: str, *, fail_fast: bool = False, timeout: int | None = None) -> None:
        """Wait, `timeout` milliseconds at most, until a queue and the pgmq queue that feeds it are worked off.

        Raises:
            QueueJoinTimeout: they were not in time.
            DeadLettered: with `fail_fast`, the queue holds a dead letter then; `flush` drops them.
        """
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        while self._is_unfinished(queue_name):
            if deadline and time.monotonic() > deadline:
                raise QueueJoinTimeout(queue_name)
            time.sleep(JOIN_POLL_SECONDS)
        if fail_fast and (dead := self.process.call("first_dead", queue=queue_name)):
            raise DeadLettered(f"Message {dead.id} for {dead.actor} became a dead letter: {dead.error}")

    def flush(self, queue_name: str) -> None:
        """Drop what nobody has claimed of a queue, dead letters too; what still waits in pgmq stays there."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        self.process.flush(queue_name)

    def flush_all(self) -> None:
        for queue_name in self.queues:
            self.flush(queue_name)

    def close(self) -> None:
        self.pulse.stop()
        self.pool.closeall()

    def _consumer(
        self, queue_name: str, route: Route | None, *, threads: int, timeout_seconds: float
    ) -> PostgresConsumer:
        return PostgresConsumer(self.process, queue_name, route, threads=threads, timeout_seconds=timeout_seconds)

    def _store(self, batch: list[Any], priorities: list[int], delay: int) -> None:
        self.intake.store(batch, priorities, delay)

    def _is_unfinished(self, queue_name: str) -> bool:
        """Whether a message of that queue waits or runs, here or in the pgmq queue that feeds it."""
        route = self.routes.get(queue_name)
        with self.process.transaction() as conn:
            queries.broker.one_snapshot(conn)
            return bool(
                (route and queries.broker.count_in_pgmq(conn, pgmq_queue=route.pgmq_queue))
                or queries.broker.unfinished(conn, queue=queue_name)
            )

    def _listeners(self) -> Listeners:
        if self.listeners.middleware != self.middleware:  # whoever changed that list, and however
            self.listeners = Listeners(self.middleware, self.intake)
        return self.listeners

    def _readable(self, actor_name: str) -> Collection[str]:
        return self.process.repertoire.readable(actor_name)

    def _line(self, message: Any) -> str | None:
        return self.process.repertoire.line(message)

    def _priority(self, message: Any) -> int:
        """Higher first, as in SQL and `broker_priority`; an actor's own `priority` is Dramatiq's, lower first."""
        actor = self.actors.get(message.actor_name)
        return rank(message, -actor.priority if actor else 0)


def _pool(pool: Pool | None, url: str | None, listen: Callable[[], bool]) -> Pool:
    if (pool is None) == (url is None):
        raise TypeError("PostgresBroker takes a pool (db.connection.Pool) or url=: one of them.")
    if url is not None:
        return Pool(lambda: url, lambda: POOL_SIZE, listen)
    if not isinstance(pool, Pool):
        raise TypeError(f"PostgresBroker takes a db.connection.Pool, not {type(pool).__name__}; or give it url=.")
    return pool


def _built_in(intake: Intake) -> list[Middleware]:
    return [
        AgeLimit(),
        TimeLimit(),
        ShutdownNotifications(),
        Callbacks(),
        Pipelines(),
        Retries(),
        CurrentMessage(),
        Results(backend=PostgresResults(intake.pool, intake.seal)),
        CountedGroups(intake),
    ]
