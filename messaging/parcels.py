"""Consumes a queue of RabbitMQ: opens what is sealed, and gives back to PostgreSQL what this process cannot run."""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pika
from dramatiq.broker import Consumer
from dramatiq.brokers.rabbitmq import _RabbitmqConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.message import Message

from errors import InvalidMessage, KeyMissing
from log import EventLogger
from messaging.amqp import QuorumQueues
from messaging.parcel import Parcel
from messaging.process import Process
from messaging.seal import ability

LOST_SECONDS = 0.5  # before RabbitMQ is looked for again
MOST_RETURNS = 20  # of a message: so many workers died with it, or were stopped before they began
COUNT = "x-delivery-count"  # how often a quorum queue has had a message back

events = EventLogger(__name__)


class Bearer(_RabbitmqConsumer):
    """One connection; what came by it ends by it, for the next one counts its messages anew."""

    def take(self) -> tuple[Any, Any, bytes]:
        """What comes next; the first part is None where nothing came in time.

        Raises:
            ConnectionClosed: RabbitMQ is away.
        """
        try:
            method, properties, body = next(self.iterator)
        except (AssertionError, pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError) as error:
            raise ConnectionClosed(error) from None
        if method is not None:
            self.known_tags.add(method.delivery_tag)
        return method, properties, body

    def end(self, parcel: Parcel) -> None:
        """Say that a parcel has ended; called by worker threads.

        Where this connection has ended before it, RabbitMQ gives the message to another: it runs again.
        """
        try:
            self.ack(parcel)  # type: ignore[no-untyped-call]
        except ConnectionClosed:
            events.warning("parcel_runs_again", queue=parcel.queue_name, message_id=parcel.message_id)

    def drop(self, tag: int) -> None:
        """Say that PostgreSQL has it again; called by the consumer's own thread."""
        self.known_tags.discard(tag)
        self.channel.basic_ack(tag)


class ParcelConsumer(Consumer):
    """Consumes one queue. RabbitMQ's absence is waited out here: Dramatiq would log a traceback every few seconds."""

    def __init__(self, process: Process, server: QuorumQueues, queue_name: str, *, prefetch: int, timeout: int) -> None:
        self.process = process
        self.server = server
        self.queue_name = queue_name
        self.prefetch = prefetch
        self.timeout = timeout
        self.bearer: Bearer | None = None
        self.lost = False

    def __next__(self) -> Parcel | None:
        try:
            if self.bearer is None:
                self.server.ensure(self.queue_name)
                given = (self.server.parameters, self.queue_name, self.prefetch, self.timeout)
                self.bearer = Bearer(*given)  # type: ignore[no-untyped-call]
            method, properties, body = self.bearer.take()
            if self.lost:
                events.info("rabbitmq_regained", queue=self.queue_name)
                self.lost = False
            if method is None:
                return None
            parcel = self._unpacked(body, properties.headers or {}, self.bearer, method.delivery_tag)
            if parcel is None:
                self.bearer.drop(method.delivery_tag)
        except (ConnectionClosed, pika.exceptions.AMQPError) as error:
            self._lose(error)
            return None
        return parcel

    def close(self) -> None:
        if self.bearer:
            self.bearer.close()  # type: ignore[no-untyped-call]
            self.bearer = None

    def _lose(self, error: Exception) -> None:
        if not self.lost:
            events.warning("rabbitmq_lost", queue=self.queue_name, error=type(error.__cause__ or error).__name__)
        self.lost, self.bearer = True, None
        time.sleep(LOST_SECONDS)

    def _unpacked(self, body: bytes, headers: Mapping[str, Any], bearer: Bearer, tag: int) -> Parcel | None:
        """What this process can run; None where PostgreSQL has the message again."""
        priority = int(headers.get("priority", 0))
        stored: Any = None
        try:
            stored = json.loads(body)
            message: Message[Any] = Message(**self.process.seal.opened(json.loads(body)))
            message.options.pop("eta", None)
            strange = self._lacks(message)
        except KeyMissing as missing:
            strange = ability(missing.key_name)
        except (AttributeError, InvalidMessage, KeyError, RecursionError, TypeError, ValueError) as error:
            self._reject(stored, body, priority, error)
            return None
        if strange:
            self._give_back(stored, priority, waits_for=strange)
            events.info("messages_set_aside", queue=self.queue_name, count=1)
            return None
        if headers.get(COUNT, 0) > MOST_RETURNS:
            self._give_back(stored, priority, error=f"RabbitMQ had this message back {headers[COUNT]} times.")
            events.warning(
                "message_dead_lettered", queue=self.queue_name, message_id=message.message_id, reason="never ended"
            )
            return None
        return Parcel(message, stored, priority, bearer, tag)

    def _lacks(self, message: Message[Any]) -> str | None:
        """What another version's worker has and this one lacks to run a message, if anything."""
        repertoire = self.process.repertoire
        if repertoire.can_run(message):
            return None
        if (signature := repertoire.signature(message.actor_name)) is None:
            return message.actor_name
        others: str | None = self.process.call("others_signature", actor=message.actor_name, signature=signature)
        return others

    def _reject(self, stored: Any, body: bytes, priority: int, error: Exception) -> None:
        """Make a dead letter of what is no message."""
        seal = self.process.seal
        said = type(error).__name__ if seal and not isinstance(error, InvalidMessage) else error
        if not (isinstance(stored, dict) and {"message_id", "queue_name"} <= stored.keys()):
            text = body.decode(errors="replace").replace("\0", "")
            stored = {"sealed": seal.close(text.encode())} if seal else {"payload": text}
            stored |= {"message_id": str(uuid4()), "queue_name": self.queue_name}
        message_id = stored["message_id"]
        self._give_back(stored, priority, error=f"Message {message_id} is not a Dramatiq message: {said}")
        events.error("message_dead_lettered", queue=self.queue_name, message_id=message_id, reason="not a message")

    def _give_back(
        self, stored: Mapping[str, Any], priority: int, *, error: str | None = None, waits_for: str | None = None
    ) -> None:
        self.process.call(
            "give_back",
            messages=json.dumps(stored),
            priority=priority,
            delay=0,
            dead=waits_for is None,
            error=error,
            waits_for=waits_for,
        )
