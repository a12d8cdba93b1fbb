"""Dramatiq over Redis, with its append-only file on."""

import os

from dramatiq.brokers.redis import RedisBroker

from bench.players.actors import Actors, lean_middleware

broker = RedisBroker(url=os.environ["REDIS_URL"], middleware=lean_middleware())
actors = Actors(broker)
send, pace = actors.send, actors.pace
fill = send


def install() -> None:
    broker.client.flushall()
