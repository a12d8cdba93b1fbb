"""Dramatiq over RabbitMQ: durable queues, persistent messages, no publisher confirms, as Dramatiq comes."""

import os

from dramatiq.brokers.rabbitmq import RabbitmqBroker

from bench.players.actors import Actors, lean_middleware

broker = RabbitmqBroker(url=os.environ["RABBITMQ_URL"], middleware=lean_middleware())
actors = Actors(broker)
send, pace = actors.send, actors.pace
fill = send


def install() -> None:
    broker.declare_queue("default", ensure=True)
    broker.flush_all()
