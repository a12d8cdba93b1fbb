"""A whole run: every measure, its contestants one after another, the rounds interleaved; medians in the end."""

import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import environments, servers
from bench.contestants import Contestant
from bench.cost import Cost
from bench.course import course
from bench.measures import MEASURES, Measure, Result, Scale

SYNCS = 50
CPU = Path("/proc/cpuinfo")


@dataclass
class Standing:
    """What one contestant came to in one measure."""

    measure: str
    contestant: str
    runs: list[Result] = field(default_factory=list)
    problem: str | None = None

    @property
    def value(self) -> float | None:
        """The median of the rounds."""
        return statistics.median(run.value for run in self.runs) if self.runs else None

    @property
    def memory_mb(self) -> float | None:
        return max((run.memory_mb for run in self.runs if run.memory_mb), default=None)

    @property
    def connections(self) -> float | None:
        return max((run.connections for run in self.runs if run.connections), default=None)

    @property
    def cost(self) -> Cost | None:
        """The median of the rounds, of each part."""
        costs = [astuple(run.cost) for run in self.runs if run.cost]
        return Cost(*map(statistics.median, zip(*costs, strict=True))) if costs else None

    def wait(self, percent: int) -> float | None:
        """A percentile of all rounds' waits, in milliseconds."""
        waits = sorted(wait for run in self.runs for wait in run.waits)
        return waits[min(len(waits) - 1, len(waits) * percent // 100)] if waits else None


@dataclass
class Race:
    """All standings of a run, and the machine it ran on."""

    machine: dict[str, Any]
    standings: dict[tuple[str, str], Standing]

    def of(self, measure: str) -> list[Standing]:
        return [standing for (name, _), standing in self.standings.items() if name == measure]

    def value(self, measure: str, contestant: str) -> float | None:
        standing = self.standings.get((measure, contestant))
        return standing.value if standing else None

    def as_json(self) -> dict[str, Any]:
        measured: dict[str, Any] = defaultdict(dict)
        for (measure, contestant), standing in self.standings.items():
            measured[measure][contestant] = {
                "value": standing.value,
                "p50_ms": standing.wait(50),
                "p95_ms": standing.wait(95),
                "p99_ms": standing.wait(99),
                "memory_mb": standing.memory_mb,
                "connections_per_process": standing.connections,
                "cost": asdict(standing.cost) if standing.cost else None,
                "problem": standing.problem,
                "runs": [{**asdict(run), "waits": len(run.waits)} for run in standing.runs],
            }
        return {"machine": self.machine, "measured": measured}


def run(measures: Iterable[str], names: Iterable[str], rounds: int, scale: Scale) -> Race:
    """Measure `measures` for the contestants `names`, `rounds` times each."""
    heats = [
        (measure, contestant)
        for measure in MEASURES
        if measure.name in measures
        for contestant in measure.contestants
        if contestant.name in names
    ]
    environments.FOLDER.mkdir(parents=True, exist_ok=True)
    environments.prepare({contestant.requirements for _, contestant in heats if contestant.requirements})
    race = Race(_machine(rounds), {})
    with servers.fresh(environments.FOLDER / f"run-{os.getpid()}") as running, _progress() as progress:
        task = progress.add_task("", total=len(heats) * rounds)
        for _ in range(rounds):
            for measure, contestant in heats:
                progress.update(task, description=f"{measure.title}: {contestant.label}")
                key = (measure.name, contestant.name)
                standing = race.standings.setdefault(key, Standing(measure.name, contestant.name))
                _heat(running, measure, contestant, standing, scale)
                progress.advance(task)
    return race


def _heat(running: servers.Servers, measure: Measure, contestant: Contestant, standing: Standing, scale: Scale) -> None:
    """One contestant, one measure, once; what goes wrong is a result too, and does not end the run."""
    try:
        standing.runs.append(measure.run(course(running, contestant), scale))
    except servers.Missing as error:
        standing.problem = str(error)
    except Exception as error:  # noqa: BLE001 - told in the table and in the JSON
        standing.problem = f"{type(error).__name__}: {error}"


def _machine(rounds: int) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "sync_ms": _sync_ms(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "rounds": rounds,
    }


def _cpu() -> str:
    return next(
        (line.partition(":")[2].strip() for line in CPU.read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )


def _sync_ms() -> float:
    """How long the disk takes to make one page durable: what every commit waits for."""
    page, took = bytes(8192), []
    with tempfile.TemporaryFile(dir=environments.FOLDER) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), page, 0)
            os.fdatasync(file.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(took), 2)


def _progress() -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)
