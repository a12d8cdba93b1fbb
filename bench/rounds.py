"""Drains in rounds, beside a held snapshot and without one, in turn: what of the rate, and at what cost, is left."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import settings
from bench.contestants import Contestant
from bench.cost import between
from bench.course import Course, course
from bench.measures import held_snapshot
from bench.servers import fresh
from bench.watch import Watch

MESSAGES = 10_000  # of a round: a second or two of work
QUEUE = {"ours": "default", "ours-pgmq": "analytics"}
PAUSE = "SELECT dramatiq.pause_queue(%(queue)s, NULL, 'bench', 'filling')"
RESUME = "SELECT dramatiq.resume_queue(%(queue)s)"
LOOK_SECONDS = 0.005
MOST_SECONDS = 120  # that a round may take


class Round(NamedTuple):
    """What one drain came to."""

    rate: float  # messages a second
    server_us: float  # of processor a message, the vacuum's that came meanwhile, too


@dataclass(frozen=True)
class Pair:
    """Two drains, one after the other."""

    alone: Round
    held: Round

    @property
    def kept(self) -> float:
        return self.held.rate / self.alone.rate


class Part(NamedTuple):
    """The medians of one part of a run."""

    alone: Round
    held: Round
    kept: float


def parts(pairs: list[Pair], number: int) -> list[Part]:
    """The run in so many parts, of as many pairs each as can be."""
    each = (pairs[len(pairs) * at // number : len(pairs) * (at + 1) // number] for at in range(number))
    return [
        Part(
            _median([pair.alone for pair in some]),
            _median([pair.held for pair in some]),
            median(pair.kept for pair in some),
        )
        for some in each
        if some
    ]


def drains(contestant: Contestant, minutes: float) -> list[Pair]:
    """Two servers with workers that go on as long as the run, of which one has a session that holds a snapshot."""
    with ExitStack() as stack:
        alone, held = (Side(contestant, name, stack) for name in ("alone", "held"))
        for side in (alone, held):
            side.drained()  # what each does for the first time
        stack.enter_context(held_snapshot(held.course.database))
        return list(_pairs(alone, held, time.monotonic() + 60 * minutes))


def _median(rounds: list[Round]) -> Round:
    return Round(median(each.rate for each in rounds), median(each.server_us for each in rounds))


def _pairs(alone: "Side", held: "Side", until: float) -> Iterator[Pair]:
    while time.monotonic() < until:
        yield Pair(alone.drained(), held.drained())
        later = held.drained()  # so that neither is always the first of its pair
        yield Pair(alone.drained(), later)


class Side:
    """A server with its workers."""

    def __init__(self, contestant: Contestant, name: str, stack: ExitStack) -> None:
        servers = stack.enter_context(fresh(settings.ROOT / "var" / f"bench-rounds-{name}"))
        self.course: Course = course(servers, contestant)
        self.queue = QUEUE[contestant.name]
        workers = stack.enter_context(self.course.working())
        self.watch = stack.enter_context(Watch(workers, self.course))

    def drained(self) -> Round:
        """Fill the queue while it is paused, and work it off."""
        self.course.execute(PAUSE, queue=self.queue)
        self.course.play("fill", MESSAGES)
        ran, spent = self.course.seen().messages, self.watch.spent()
        self.course.execute(RESUME, queue=self.queue)
        began = self._when_ran(ran + 1)
        seconds = self._when_ran(ran + MESSAGES) - began
        cost = between(spent, self.watch.spent())
        assert cost
        return Round(MESSAGES / seconds, cost.server_us)

    def _when_ran(self, messages: int) -> float:
        deadline = time.monotonic() + MOST_SECONDS
        while self.course.seen().messages < messages:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{messages} messages had not run after {MOST_SECONDS} s more.")
            time.sleep(LOOK_SECONDS)
        return time.monotonic()
