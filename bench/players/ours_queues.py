"""This project's broker with five queues, as many as the clinic has."""

import os
import time
from itertools import cycle

import dramatiq

from bench.players.actors import note
from bench.players.pace import at_pace
from broker import broker
from db.migrate import migrate

actors = [
    dramatiq.actor(broker=broker, queue_name=f"queue_{number}", actor_name=f"note_{number}")(note)
    for number in range(1, 6)
]


def install() -> None:
    migrate(os.environ["DATABASE_URL"])


def pace(count: int, per_second: int) -> None:
    """Send to one queue after the other."""
    next_one = cycle(actors)
    at_pace(count, per_second, lambda: next(next_one).send(time.monotonic_ns()))
