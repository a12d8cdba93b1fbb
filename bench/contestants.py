"""Who takes part, and the virtual environment each one lives in."""

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import track

import settings

FOLDER = settings.ROOT / "var" / "bench"


@dataclass(frozen=True)
class Contestant:
    """One contestant: its player (a module of bench.players), what it needs, and how its workers start."""

    name: str
    label: str
    player: str
    server: str = "postgresql"
    requirements: str | None = None  # None: it runs in this project's own environment
    dramatiq: bool = True  # its workers are the `dramatiq` command's; else its player's work()
    bulk: bool = False  # it can enqueue many at once

    @property
    def programs(self) -> Path:
        """Where its Python is."""
        return FOLDER / "environments" / self.requirements / "bin" if self.requirements else Path(sys.executable).parent

    @property
    def python(self) -> str:
        return str(self.programs / "python")

    def workers(self, processes: int, threads: int) -> list[list[str]]:
        """The commands that run that many worker processes."""
        module = f"bench.players.{self.player}"
        if self.dramatiq:
            options = ["--processes", str(processes), "--threads", str(threads)]
            return [[self.python, "-m", "dramatiq", module, *options]]
        return [[self.python, "-m", "bench.players", self.player, "work"]] * processes


OURS = Contestant("ours", "Balansity", "ours", bulk=True)
BRIDGED = Contestant("ours-pgmq", "Balansity, through pgmq", "ours_bridged")
PEERS = [
    Contestant("dramatiq-pg", "dramatiq-pg 0.12", "dramatiq_pg", requirements="dramatiq-pg"),
    Contestant("dramatiq-postgres", "dramatiq-postgres 1.4", "dramatiq_postgres", requirements="dramatiq-postgres"),
    Contestant("rabbitmq", "Dramatiq over RabbitMQ", "rabbitmq", "rabbitmq", "dramatiq"),
    Contestant("redis", "Dramatiq over Redis", "redis", "redis", "dramatiq"),
    Contestant("procrastinate", "Procrastinate 3.10", "procrastinate", "postgresql", "procrastinate", False, True),
    Contestant("pgqueuer", "PgQueuer 1.6, in threads", "pgqueuer", "postgresql", "pgqueuer", False, True),
    Contestant("pgqueuer-async", "PgQueuer 1.6, async no-op", "pgqueuer_async", "postgresql", "pgqueuer", False, True),
]
EVERYONE = [OURS, BRIDGED, *PEERS]


def prepare(contestants: Iterable[Contestant]) -> None:
    """Make the virtual environments that are missing or out of date."""
    needed = sorted({contestant.requirements for contestant in contestants if contestant.requirements})
    stale = [name for name in needed if not _is_current(name)]
    for name in track(stale, "Virtual environments", console=Console(stderr=True), disable=not stale):
        _make(name)


def _requirements(name: str) -> Path:
    return Path(__file__).parent / f"requirements-{name}.txt"


def _environment(name: str) -> Path:
    return FOLDER / "environments" / name


def _digest(name: str) -> str:
    return sha256(_requirements(name).read_bytes()).hexdigest()


def _is_current(name: str) -> bool:
    stamp = _environment(name) / "installed"
    return stamp.exists() and stamp.read_text() == _digest(name)


def _make(name: str) -> None:
    folder = _environment(name)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--requirement", str(_requirements(name))], check=True)
    (folder / "installed").write_text(_digest(name))
