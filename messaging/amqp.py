"""RabbitMQ as its workers need it: Dramatiq's own broker, on quorum queues."""

from collections.abc import Iterable

import pika
from dramatiq.brokers.rabbitmq import RabbitmqBroker

ANSWER_SECONDS = 10  # that a server takes at most to accept a connection, or to confirm a batch
HEARTBEAT_SECONDS = 30  # of who consumes: a server that is silent for so long is gone
QUORUM = {"x-queue-type": "quorum"}


class QuorumQueues(RabbitmqBroker):
    """Queues that a majority of the nodes keeps: one dies, and nothing is lost.

    Delays and dead letters are kept in PostgreSQL: there are no queues for them.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        super().__init__(parameters=[{}], middleware=[])  # type: ignore[no-untyped-call]
        self.parameters = parameters(urls, heartbeat=HEARTBEAT_SECONDS)

    def ensure(self, queue_name: str) -> None:
        """See that the server has a queue, whatever was there before; by a connection of its own, for few need it.

        Raises:
            dramatiq.errors.ConnectionClosed: no server is there.
        """
        self.queues_pending.add(queue_name)
        self.declare_queue(queue_name, ensure=True)  # type: ignore[no-untyped-call]
        del self.connection

    def _build_queue_arguments(self, queue_name: str) -> dict[str, str]:
        del queue_name
        return QUORUM

    def _declare_dq_queue(self, queue_name: str) -> None:
        """None for delays."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        """None for dead letters."""


def parameters(urls: Iterable[str], *, heartbeat: int = 0) -> list[pika.URLParameters]:
    """How to reach each of some servers, with time limits for everything.

    Who publishes needs no heartbeat: each batch waits for its confirms, which have a time limit.
    """
    made = [pika.URLParameters(url) for url in urls]
    for each in made:
        each.heartbeat = heartbeat
        each.socket_timeout = each.stack_timeout = each.blocked_connection_timeout = ANSWER_SECONDS
    return made
