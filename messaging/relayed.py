"""The broker past one PostgreSQL: RabbitMQ holds what is due, PostgreSQL what waits for a time, a turn or a commit.

What is sent by itself goes to RabbitMQ at once, all else through PostgreSQL, from where a relay carries it when it is
due (messaging/relay.py). A worker takes each queue's messages from both: from PostgreSQL those that have a line, and no
others. Without RabbitMQ's addresses this is the PostgresBroker that it is built on.
"""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from threading import local
from typing import TYPE_CHECKING, Any

from dramatiq.common import dq_name, q_name

from db import queries
from db.connection import Connection, Pool
from errors import CarrierAway
from log import EventLogger
from messaging.broker import PostgresBroker
from messaging.consumer import PostgresConsumer
from messaging.parcel import Packed, Parcel, ParcelSettlement
from messaging.routes import Route

if TYPE_CHECKING:  # what needs RabbitMQ's client is loaded only where it is used
    from messaging.amqp import QuorumQueues
    from messaging.publisher import Publisher

AHEAD = 2  # messages a thread that RabbitMQ gives a worker at once, as Dramatiq has it

events = EventLogger(__name__)


class RelayedBroker(PostgresBroker):
    """A PostgresBroker that leaves to RabbitMQ what need not stand in a table."""

    def __init__(self, pool: Pool | None = None, *, urls: Callable[[], Sequence[str]], **options: Any) -> None:
        """On RabbitMQ at `urls`, asked for at each use; none: on PostgreSQL alone. `options` are PostgresBroker's."""
        super().__init__(pool, **options)
        self.urls = urls
        self.threads = 1
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Connect anew when needed: what a process had before it forked is its parent's."""
        self.own = local()  # a thread's publisher
        self.__dict__.pop("amqp", None)

    def emit_before(self, signal: str, *arguments: Any, **options: Any) -> None:
        """Tell the middleware; a worker that starts gets a second consumer for each queue.

        To Dramatiq's worker that is one of a delay queue, and messages of both end at the first (see `consume`).
        """
        super().emit_before(signal, *arguments, **options)
        if signal == "worker_boot" and self.urls():
            self.threads = arguments[0].worker_threads
            self.delay_queues |= {dq_name(queue_name) for queue_name in self.queues}

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Any:
        if queue_name not in self.delay_queues:
            return super().consume(queue_name, prefetch, timeout)
        from messaging.parcels import ParcelConsumer

        return ParcelConsumer(
            self.process, self.amqp, q_name(queue_name), prefetch=AHEAD * self.threads, timeout=timeout
        )

    def flush(self, queue_name: str) -> None:
        super().flush(queue_name)
        if self.urls():
            self.amqp.flush(queue_name)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        if publisher := getattr(self.own, "publisher", None):
            publisher.close()
            del self.own.publisher
        super().close()

    @cached_property
    def amqp(self) -> "QuorumQueues":
        from messaging.amqp import QuorumQueues

        return QuorumQueues(self.urls())

    def _consumer(
        self, queue_name: str, route: Route | None, *, threads: int, timeout_seconds: float
    ) -> PostgresConsumer:
        if not self.urls():
            return super()._consumer(queue_name, route, threads=threads, timeout_seconds=timeout_seconds)
        return LinesConsumer(self.process, queue_name, None, threads=threads, timeout_seconds=timeout_seconds)

    def _store(self, batch: list[Any], priorities: list[int], delay: int) -> None:
        """Publish what is due and stands alone, unless RabbitMQ is away: only PostgreSQL takes several or none."""
        if self.urls() and len(batch) == 1 and not delay and not self._line(batch[0]) and not self.intake.is_joined():
            try:
                [body] = self.intake.encoded(batch)
                self._publisher().publish([Packed(batch[0].queue_name, priorities[0], body)])
            except CarrierAway as away:
                events.warning("message_waits_for_rabbitmq", queue=batch[0].queue_name, error=away)
            else:
                return
        super()._store(batch, priorities, delay)

    def _publisher(self) -> "Publisher":
        from messaging.publisher import Publisher

        if not hasattr(self.own, "publisher"):
            self.own.publisher = Publisher(self.urls())
        publisher: Publisher = self.own.publisher
        return publisher

    def _is_unfinished(self, queue_name: str) -> bool:
        """As in PostgreSQL; of what went past it only whether any waits: AMQP tells nobody what others have unacked."""
        return super()._is_unfinished(queue_name) or bool(self.urls() and self._publisher().waiting(queue_name))


class LinesConsumer(PostgresConsumer):
    """Consumes what has a line, and ends what RabbitMQ has brought of the same queue."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parcels = ParcelSettlement(self.process, self.claims)

    def ack(self, message: Any) -> None:
        if isinstance(message, Parcel):
            self.parcels.ack(message)
        else:
            super().ack(message)

    def nack(self, message: Any) -> None:
        if isinstance(message, Parcel):
            self.parcels.nack(message)
        else:
            super().nack(message)

    def _ask(
        self, conn: Connection, done: dict[str, str], limit: int, after: str | None, route: Route | None
    ) -> list[Any]:
        del after, route  # lines are claimed from their beginning, and the relay bridges
        return list(
            queries.broker.exchange_lines(
                conn,
                worker=self.process.pulse.worker_id,
                queue=self.queue_name,
                done=done["ids"],
                attempts=done["attempts"],
                limit=limit,
            )
        )
