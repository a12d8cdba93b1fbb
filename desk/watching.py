"""The state of everything, look after look: who lives is told by counts of beats, without waiting for them."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from checks import looks
from db import overview, queries
from db.connection import Connection
from db.database import single_statements
from db.overview import LOOK_SECONDS, Row


@dataclass(frozen=True)
class Look:
    """What was there at one moment, each row by its columns' names; a process's `lives` is None until it is known."""

    queues: list[Row]
    pgmq: list[Row]
    workers: list[Row]
    schedulers: list[Row]
    providers: list[Row]
    pauses: list[Row]
    findings: list[Row]  # of the quick checks, without those that found all well


class Watch:
    """Looks again and again, and remembers when each process last said that it lives."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.counts: dict[Hashable, int] = {}
        self.moved_at: dict[Hashable, float] = {}
        self.met_at: dict[Hashable, float] = {}

    def look(self) -> Look:
        with single_statements() as conn:
            queues, pgmq, providers = overview.queues(conn), overview.pgmq(conn), overview.providers(conn)
            beats = overview.beats(conn)
            workers, schedulers = overview.workers(conn), overview.schedulers(conn)
            pauses, findings = paused(conn), found(conn)
        self._notice(beats, self.clock())
        return Look(
            queues,
            pgmq,
            [row | {"lives": self._lives(row["worker"])} for row in workers],
            [row | {"lives": self._lives(row["scheduler"])} for row in schedulers],
            providers,
            pauses,
            findings,
        )

    def _notice(self, beats: dict[Any, int], now: float) -> None:
        for process, count in beats.items():
            if self.counts.get(process, count) != count:
                self.moved_at[process] = now
            self.met_at.setdefault(process, now)
        self.counts = beats

    def _lives(self, process: Hashable) -> bool | None:
        now = self.clock()
        if now - self.moved_at.get(process, float("-inf")) < LOOK_SECONDS:
            return True
        return False if now - self.met_at.get(process, now) >= LOOK_SECONDS else None


def paused(conn: Connection) -> list[Row]:
    """The queues that a person has paused."""
    return [row._asdict() for row in queries.pauses.current(conn)]


def found(conn: Connection) -> list[Row]:
    """What the quick checks found, the most pressing first; on a connection whose statements commit one by one."""
    findings = [finding for finding in looks.quick(conn) if finding.verdict != "good"]
    return [finding.told() | {"what": finding.said()} for finding in findings]  # a provider's words stand beside it
