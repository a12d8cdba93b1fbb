"""For tests of actors on a real PostgreSQL: see what is enqueued, run what is due, run at once what is sent.

A real worker does it, in the test's own process and with one thread: messages run in their order, retries, results and
dead letters are what they are in production, and what an actor raised in the end is raised in the test.
"""

import inspect
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from unittest import mock

import dramatiq
from dramatiq.errors import QueueJoinTimeout

from db import queries
from errors import DeadLettered
from messaging.broker import PostgresBroker

LOOK_SECONDS = 0.01
WORKER_TIMEOUT_MS = 20  # until an idle worker sees that it is to stop


class Enqueued(NamedTuple):
    """A message that waits: its arguments by name, when it is due, and how urgent it is (higher first)."""

    message_id: str
    arguments: dict[str, Any]
    due: datetime
    priority: int


def enqueued(actor: dramatiq.Actor[..., Any], /, **arguments: Any) -> list[Enqueued]:
    """The messages that wait for an actor or are delayed and have at least these arguments, the first due first."""
    broker = _broker_of(actor)
    with broker.pool.transaction() as conn:
        rows = list(queries.testing.enqueued(conn, actor=actor.actor_name))
    waiting = [Enqueued(row.message_id, _arguments(actor, row.message), row.due, row.priority) for row in rows]
    return [each for each in waiting if arguments.items() <= each.arguments.items()]


def assert_enqueued(actor: dramatiq.Actor[..., Any], /, **arguments: Any) -> Enqueued:
    """Fail unless a message with at least these arguments waits for the actor; gives the first of them."""
    found = enqueued(actor, **arguments)
    if not found:
        others = "\n".join(f"  {each.arguments}" for each in enqueued(actor)) or "  none"
        raise AssertionError(f"No message for {actor.actor_name} has {arguments}. Enqueued for it:\n{others}")
    return found[0]


def refute_enqueued(actor: dramatiq.Actor[..., Any], /, **arguments: Any) -> None:
    """Fail if a message with at least these arguments waits for the actor."""
    if found := enqueued(actor, **arguments):
        raise AssertionError(f"A message for {actor.actor_name} is enqueued: {found[0].arguments}")


def drain(broker: PostgresBroker, *queues: str, delayed: bool = False, timeout_seconds: float = 30) -> int:
    """Run what is due in these queues (none named: in all), and what that sends there; gives how many runs it took.

    With `delayed`, delayed messages and retries are due at once. What waits in pgmq for these queues runs as well.

    Raises:
        Exception: what an actor raised whose message became a dead letter: of several, the first.
        QueueJoinTimeout: there was always more to do.
    """
    names = queues or tuple(broker.queues)
    with _working(broker, names) as record:
        _work_off(broker, names, delayed=delayed, timeout_seconds=timeout_seconds)
    record.raise_first()
    return record.runs


@contextmanager
def inline(broker: PostgresBroker, *, timeout_seconds: float = 30) -> Iterator[None]:
    """In this block a send comes back when the message, and what it sends, has run; it raises as `drain` does.

    What is sent in a transaction runs with the first send after its commit, or with the block's end.
    """
    caller, store = threading.current_thread(), broker.enqueue_many

    def run_at_once(messages: Iterable[Any], *, delay: Any = None) -> None:
        store(messages, delay=delay)
        if threading.current_thread() is caller:
            _work_off(broker, tuple(broker.queues), delayed=False, timeout_seconds=timeout_seconds)
            record.raise_first()

    with _working(broker) as record, mock.patch.object(broker, "enqueue_many", run_at_once):
        yield
        _work_off(broker, tuple(broker.queues), delayed=False, timeout_seconds=timeout_seconds)
    record.raise_first()


class _Record(dramatiq.Middleware):
    """Counts runs, and keeps what was raised by those whose messages became dead letters."""

    def __init__(self) -> None:
        self.runs = 0
        self.raised: dict[str, BaseException] = {}
        self.failures: list[BaseException] = []

    def after_process_message(
        self, _broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        del result
        self.runs += 1
        if exception:
            self.raised[message.message_id] = exception

    def before_nack(self, _broker: Any, message: Any) -> None:
        unknown = DeadLettered(f"Message {message.message_id} for {message.actor_name} became a dead letter.")
        self.failures.append(self.raised.get(message.message_id, unknown))

    def raise_first(self) -> None:
        failures, self.failures = self.failures, []
        for failure in failures:
            raise failure


@contextmanager
def _working(broker: PostgresBroker, queues: Iterable[str] = ()) -> Iterator[_Record]:
    """A worker with one thread, until the end of the block."""
    record, before = _Record(), list(broker.middleware)
    broker.add_middleware(record)
    worker = dramatiq.Worker(broker, queues=set(queues) or None, worker_timeout=WORKER_TIMEOUT_MS, worker_threads=1)
    worker.start()
    added = [each for each in broker.middleware if each not in before]  # Dramatiq's worker leaves one of its own
    try:
        yield record
    finally:
        worker.stop()
        for each in added:
            broker.middleware.remove(each)


def _work_off(broker: PostgresBroker, queues: tuple[str, ...], *, delayed: bool, timeout_seconds: float) -> None:
    """Wait until nothing runs or is due in these queues."""
    deadline = time.monotonic() + timeout_seconds
    while _due(broker, queues, delayed=delayed):
        if time.monotonic() > deadline:
            raise QueueJoinTimeout(", ".join(queues))
        time.sleep(LOOK_SECONDS)


def _due(broker: PostgresBroker, queues: tuple[str, ...], *, delayed: bool) -> bool:
    routes = [(name, route.pgmq_queue) for name in queues if (route := broker.routes.get(name))]
    if delayed:
        with broker.pool.transaction() as conn:
            queries.testing.hasten(conn, queues=list(queues))
    with broker.pool.transaction() as conn:
        queries.broker.one_snapshot(conn)
        return any(
            queries.testing.due_in_pgmq(conn, queue=name, pgmq_queue=pgmq_queue) for name, pgmq_queue in routes
        ) or any(queries.testing.due(conn, queue=name, delayed=delayed) for name in queues)


def _arguments(actor: dramatiq.Actor[..., Any], message: dict[str, Any]) -> dict[str, Any]:
    """A message's arguments by their names; those that the actor does not take, under the place where they stand."""
    said, signature = _broker_of(actor).seal.opened(message), inspect.signature(actor.fn)
    try:
        named = dict(signature.bind(*said["args"], **said["kwargs"]).arguments)
    except TypeError:
        named = {str(place): each for place, each in enumerate(said["args"])} | said["kwargs"]
    rest = [each.name for each in signature.parameters.values() if each.kind is each.VAR_KEYWORD and each.name in named]
    return named | {name: value for each in rest for name, value in named.pop(each).items()}


def _broker_of(actor: dramatiq.Actor[..., Any]) -> PostgresBroker:
    if not isinstance(actor.broker, PostgresBroker):
        raise TypeError(f"{actor.actor_name} is an actor of a {type(actor.broker).__name__}, not of a PostgresBroker.")
    return actor.broker
