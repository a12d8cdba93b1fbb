"""This project's broker."""

import os
from itertools import islice

from bench.players.actors import Actors
from broker import broker
from db.migrate import migrate

BATCH = 5_000  # messages in one statement
MONTH = 30 * 24 * 3_600_000  # milliseconds

actors = Actors(broker)
send, pace = actors.send, actors.pace


def install() -> None:
    migrate(os.environ["DATABASE_URL"])


def bulk(count: int, delay: int = 0) -> None:
    messages = (actors.noop.message(number) for number in range(count))
    while batch := list(islice(messages, BATCH)):
        broker.enqueue_many(batch, delay=delay)


fill = bulk


def fill_future(count: int) -> None:
    """Put in messages that fall due next month."""
    bulk(count, delay=MONTH)
