"""A limit: Dramatiq's own broker in memory, in each process one of its own. What is sent is lost with it."""

import os
import time
from pathlib import Path

from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage, GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend as Counts
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

from bench.course import PROCESSES, THREADS
from bench.players.actors import Actors, lean_middleware

FOLDER = Path(os.environ["BENCH_PROBE"])
COUNT = FOLDER / "count"
LOOK_SECONDS = 0.01

# What this project's broker has built in, too.
ours_too = [CurrentMessage(), Results(backend=StubBackend()), GroupCallbacks(Counts())]
broker = StubBroker(middleware=[*lean_middleware(), *ours_too])
actors = Actors(broker)


def install() -> None:
    """Nothing outlives the process."""


def fill(count: int) -> None:
    """Leave it to the workers, who alone can."""
    COUNT.write_text(str(count))


def work() -> None:
    actors.send(int(COUNT.read_text()) // PROCESSES)
    (FOLDER / f"{os.getpid()}.filled").touch()
    while len(list(FOLDER.glob("*.filled"))) < PROCESSES:
        time.sleep(LOOK_SECONDS)
    Worker(broker, worker_threads=THREADS).start()
    time.sleep(3600)
