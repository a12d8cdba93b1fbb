"""Publishes messages to RabbitMQ in batches, and waits until a majority of its nodes has every one of them."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection

from errors import CarrierAway
from messaging.amqp import ANSWER_SECONDS, QUORUM, parameters
from messaging.parcel import Packed

CLOSE_SECONDS = 1  # that a goodbye waits for its answer
PERSISTENT = 2


class Publisher:
    """One thread's way to RabbitMQ, opened when first needed."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.servers = parameters(urls)
        self.link: Link | None = None

    def publish(self, messages: Sequence[Packed]) -> None:
        """Publish them in this order, and return once they have arrived.

        Raises:
            CarrierAway: no server is there, or it did not confirm all of them: any may have arrived.
        """
        self._ask(lambda link: link.publish(messages))

    def waiting(self, queue_name: str) -> int:
        """How many messages of a queue no worker has.

        Raises:
            CarrierAway: no server is there.
        """
        return int(self._ask(lambda link: link.declare(queue_name)))

    def reach(self) -> None:
        """See that a server is there.

        Raises:
            CarrierAway: none is.
        """
        self._ask(lambda _: None)

    def close(self) -> None:
        if self.link:
            self.link.close()
            self.link = None

    def _ask(self, what: Callable[["Link"], Any]) -> Any:
        """Ask once more where the connection was an older one: it may have ended while nobody used it."""
        older = self.link is not None
        try:
            self.link = self.link or Link(self.servers)
            return what(self.link)
        except CarrierAway:
            self.close()
            if older:
                return self._ask(what)
            raise


class Link:
    """An open connection; its callbacks run while somebody waits for an answer."""

    def __init__(self, servers: Sequence[pika.URLParameters]) -> None:
        self.loop = IOLoop()
        self.connection: Any = None
        self.channel: Any = None
        self.declared: set[str] = set()
        self.sent = 0
        self.unconfirmed: set[int] = set()
        self.answer: Any = None
        self.trouble: Any = None
        SelectConnection.create_connection(servers, self._connected, custom_ioloop=self.loop)
        try:
            self._wait()
        except CarrierAway:
            self.close()
            raise

    def publish(self, messages: Sequence[Packed]) -> None:
        for queue_name in {each.queue_name for each in messages} - self.declared:
            self.declare(queue_name)
        for each in messages:
            self.sent += 1
            self.unconfirmed.add(self.sent)
            properties = pika.BasicProperties(delivery_mode=PERSISTENT, headers={"priority": each.priority})
            self.channel.basic_publish("", each.queue_name, each.body.encode(), properties, mandatory=True)
        if self.unconfirmed:
            self._wait()

    def declare(self, queue_name: str) -> int:
        """See that a queue is there; how many of its messages no worker has."""
        self.channel.queue_declare(queue_name, durable=True, arguments=QUORUM, callback=self._done)
        self._wait()
        self.declared.add(queue_name)
        return int(self.answer.method.message_count)

    def close(self) -> None:
        deadline = time.monotonic() + CLOSE_SECONDS
        if self.connection and self.connection.is_open:
            self.connection.close()
        while self.connection and not self.connection.is_closed and (left := deadline - time.monotonic()) > 0:
            self.loop.call_later(left, self.loop.stop)
            self.loop.start()  # the end of the channel stops it, too
        self.loop.close()

    def _wait(self) -> None:
        limit = self.loop.call_later(ANSWER_SECONDS, lambda: self._fail(f"no answer in {ANSWER_SECONDS} s"))
        if not self.trouble:
            self.loop.start()
        self.loop.remove_timeout(limit)
        if self.trouble:
            raise CarrierAway(f"RabbitMQ: {self.trouble!r}")

    def _done(self, answer: Any = None) -> None:
        self.answer = answer
        self.loop.stop()

    def _fail(self, why: Any) -> None:
        self.trouble = self.trouble or why
        self.loop.stop()

    def _connected(self, result: Any) -> None:
        if isinstance(result, BaseException):
            self._fail(result)
            return
        self.connection = result
        result.add_on_close_callback(lambda _, why: self._fail(why))
        result.channel(on_open_callback=self._opened)

    def _opened(self, channel: Any) -> None:
        self.channel = channel
        channel.add_on_close_callback(lambda _, why: self._fail(why))
        channel.add_on_return_callback(lambda _, method, *__: self._fail(f"no queue {method.routing_key}"))
        channel.confirm_delivery(self._confirmed, self._done)

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._fail("it refused a message")
        elif method.multiple:
            self.unconfirmed = {each for each in self.unconfirmed if each > method.delivery_tag}
        else:
            self.unconfirmed.discard(method.delivery_tag)
        if not self.unconfirmed:
            self.loop.stop()
