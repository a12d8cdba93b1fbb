"""Figures kept beside the code, a line a run, so that a slow-down is seen.

Machines and days differ: what is followed is how this broker stands to bare SQL in the same rounds of the same run.
"""

import json
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import settings
from bench.contestants import BARE_SQL, BRIDGED, OURS, Contestant
from bench.measures import Result
from bench.race import Race

KEPT = Path(__file__).parent / "history.jsonl"

Read = Callable[[Result], float | None]


@dataclass(frozen=True)
class Figure:
    """One figure that is followed."""

    name: str
    title: str
    measure: str
    contestant: Contestant
    read: Read
    bare: Read | None = None  # what it is held against, of bare SQL's result in the same round; None: it stands alone
    more_is_better: bool = False


@dataclass(frozen=True)
class Run:
    """A run that was kept: its commit and machine, and the rounds of every figure."""

    machine: dict[str, Any]
    figures: dict[str, list[float]]

    @property
    def hardware(self) -> tuple[str, int]:
        return self.machine["cpu"], self.machine["cores"]

    @property
    def since(self) -> str:
        return f"{self.machine['at'][:10]}, {self.machine['commit']}, at load {self.machine['load'][0]:.1f}"


@dataclass(frozen=True)
class Change:
    """How a figure moved between two runs."""

    title: str
    then: float
    now: float
    scatter: float  # how far rounds of one run lie apart, as a share of their median: the wider one's
    more_is_better: bool

    @property
    def slowed(self) -> bool:
        return self._gain < -self.scatter

    @property
    def sped(self) -> bool:
        return self._gain > self.scatter

    @property
    def _gain(self) -> float:
        change = self.now / self.then - 1
        return change if self.more_is_better else -change


def written(value: float) -> str:
    """A figure of any size."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _rate(result: Result) -> float:
    return result.value


def _wait(percent: int) -> Read:
    def read(result: Result) -> float | None:
        return statistics.quantiles(result.waits, n=100)[percent - 1] if len(result.waits) > 1 else None

    return read


def _cost(part: str) -> Read:
    def read(result: Result) -> float | None:
        return getattr(result.cost, part, None)

    return read


FIGURES = [
    Figure("drain", "drain, of bare SQL's", "drain", OURS, _rate, _rate, more_is_better=True),
    Figure("drain-pgmq", "drain through pgmq, of bare SQL's", "drain", BRIDGED, _rate, _rate, more_is_better=True),
    Figure("send", "enqueue one by one, of bare SQL's", "send", OURS, _rate, _rate, more_is_better=True),
    Figure("bulk", "enqueue many at once, of bare SQL's", "bulk", OURS, _rate, _rate, more_is_better=True),
    Figure("latency-p50", "from send to start, p50, ms", "latency", OURS, _wait(50)),
    Figure("latency-p99", "from send to start, p99, ms", "latency", OURS, _wait(99)),
    Figure(
        "worker",
        "workers' processor time, of bare SQL's whole",
        "drain",
        OURS,
        _cost("worker_us"),
        _cost("processor_us"),
    ),
    Figure(
        "server",
        "server's processor time, of bare SQL's whole",
        "drain",
        OURS,
        _cost("server_us"),
        _cost("processor_us"),
    ),
    Figure("wal", "logged ahead, bytes a message", "drain", OURS, _cost("wal_bytes")),
    Figure("transactions", "transactions a message", "drain", OURS, _cost("transactions")),
]


def keep(race: Race) -> Run:
    """Add a race's line to those that are kept."""
    run = followed(race)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"machine": run.machine, "figures": run.figures}, ensure_ascii=False) + "\n")
    return run


def kept() -> list[Run]:
    """Every run that was kept, the oldest first."""
    if not KEPT.exists():
        return []
    return [Run(**json.loads(line)) for line in KEPT.read_text(encoding="utf-8").splitlines()]


def followed(race: Race) -> Run:
    """What is followed of a race, as far as it was measured."""
    figures = {figure.name: list(_rounds(race, figure)) for figure in FIGURES}
    return Run(
        {"commit": _commit(), **race.machine},
        {name: [float(f"{value:.4g}") for value in values] for name, values in figures.items() if values},
    )


def changes(now: Run, runs: list[Run]) -> tuple[Run, list[Change]] | None:
    """The last of `runs` on the hardware of `now`, and how every figure moved since; None: there is none."""
    then = next((run for run in reversed(runs) if run.hardware == now.hardware), None)
    if then is None:
        return None
    both = [figure for figure in FIGURES if figure.name in now.figures and figure.name in then.figures]
    return then, [_change(figure, then.figures[figure.name], now.figures[figure.name]) for figure in both]


def _change(figure: Figure, then: list[float], now: list[float]) -> Change:
    scatter = max((max(rounds) - min(rounds)) / statistics.median(rounds) for rounds in (then, now))
    return Change(figure.title, statistics.median(then), statistics.median(now), scatter, figure.more_is_better)


def _rounds(race: Race, figure: Figure) -> Iterator[float]:
    """Each round's value; of rounds in which bare SQL failed, nothing."""
    ours = race.standings.get((figure.measure, figure.contestant.name))
    bare = race.standings.get((figure.measure, BARE_SQL.name))
    for number, result in enumerate(ours.runs if ours else []):
        value = figure.read(result)
        if figure.bare is None:
            held_against: float | None = 1.0
        else:
            held_against = figure.bare(bare.runs[number]) if bare and number < len(bare.runs) else None
        if value and held_against:
            yield value / held_against


def _commit() -> str:
    """The commit that was measured; `-dirty` if there is more in the tree."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    done = subprocess.run(command, cwd=settings.ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
