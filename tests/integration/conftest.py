"""A broker and workers in the test's own process, for the tests of the broker."""

from collections.abc import Callable, Iterator

import dramatiq
import pytest

import db.connection
from broker import PostgresBroker


@pytest.fixture
def broker(environment: pytest.MonkeyPatch) -> Iterator[PostgresBroker]:
    broker = PostgresBroker(db.connection.pool)
    yield broker
    broker.close()


@pytest.fixture
def work(broker: PostgresBroker) -> Iterator[Callable[..., dramatiq.Worker]]:
    """Starts a worker in this process and stops it after the test."""
    workers: list[dramatiq.Worker] = []

    def start(threads: int = 4) -> dramatiq.Worker:
        worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=threads)
        worker.start()
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()
