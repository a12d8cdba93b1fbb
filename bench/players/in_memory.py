"""A limit: Dramatiq's own broker in memory, in one process. What is sent is lost with it."""

import os
import time
from pathlib import Path

from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker

from bench.players.actors import Actors, lean_middleware

THREADS = 8
COUNT = Path(os.environ["BENCH_PROBE"], "count")

broker = StubBroker(middleware=lean_middleware())
actors = Actors(broker)


def install() -> None:
    """Nothing outlives the process."""


def fill(count: int) -> None:
    """Leave it to the worker, who alone can."""
    COUNT.write_text(str(count))


def work() -> None:
    actors.send(int(COUNT.read_text()))
    Worker(broker, worker_threads=THREADS).start()
    time.sleep(3600)
