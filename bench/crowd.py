"""What many worker processes that rest cost one PostgreSQL, and what one message then wakes.

python -m bench.crowd [--processes 100] [--messages 100] [--json]

Processes of 8 threads and five queues start together. A minute after the last has come, what they ask and spend is told
for half a minute, and then their connections. Then messages are sent, one by one, to one queue after the other. What a
message wakes is told by the exchanges that workers make beyond those of the half minute: two of the worker that claims
it and acks it.
"""

import json
import time
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import click
import psycopg2
from rich.console import Console
from rich.table import Table

import settings
from bench import probe, servers
from bench.contestants import Contestant
from bench.cost import processor_seconds
from bench.course import Course, course
from bench.watch import CONNECTIONS
from db import embedded

CROWD = Contestant("ours-queues", "Balansity, five queues", "ours_queues")
CALLED = (Path(__file__).parent / "sql" / "called.sql").read_text()
COME = "SELECT count(*) FROM dramatiq.worker"
THREADS = 8
MOST_CONNECTIONS = 12  # of a process, while it starts
COMING_SECONDS = 600  # at most, until all processes have started
REST_SECONDS = 60
IDLE_SECONDS = 30
PER_SECOND = 4
TOLD_SECONDS = 12  # until a session that rests has told the statistics what it did


@dataclass(frozen=True)
class Moment:
    """What was asked and spent until then."""

    at: float
    looks: int
    exchanges: int
    transactions: int
    server_seconds: float
    worker_seconds: float


@dataclass(frozen=True)
class Figures:
    """What came of it."""

    processes: int
    connections: float  # of a process
    looks: float  # of a process, a second
    transactions: float  # of a process, a second
    server_cores: float
    worker_cores: float
    exchanges: float  # that a message causes
    p50_ms: float
    p99_ms: float


@click.command()
@click.option("--processes", default=100, show_default=True)
@click.option("--messages", default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(processes: int, messages: int, as_json: bool) -> None:
    """Measure a crowd at rest."""
    with servers.fresh(settings.ROOT / "var" / "bench-crowd") as running:
        _prepare(running.folder / "postgres", MOST_CONNECTIONS * processes)
        figures = measured(course(running, CROWD), processes, messages)
    if as_json:
        print(json.dumps(asdict(figures)))
        return
    table = Table("What", "Figure")
    for name, value in asdict(figures).items():
        table.add_row(name, f"{value:,.3g}")
    Console().print(table)


def measured(track: Course, processes: int, messages: int) -> Figures:
    with track.working(processes, THREADS) as [workers]:
        _wait_for(track, processes)
        time.sleep(REST_SECONDS)
        before = _moment(track, workers.pid)
        time.sleep(IDLE_SECONDS)
        idle = _moment(track, workers.pid)
        [connections] = _asked(track, CONNECTIONS)
        track.play("pace", messages, PER_SECOND)
        track.wait_until_ran(messages, COMING_SECONDS)
        time.sleep(TOLD_SECONDS)
        after = _moment(track, workers.pid)
    seconds, looks, exchanges, transactions, server, worker = (
        late - early for early, late in zip(astuple(before), astuple(idle), strict=True)
    )
    beside = exchanges / seconds * (after.at - idle.at)
    percentiles = quantiles(probe.waits(track.folder), n=100)
    return Figures(
        processes,
        connections / processes,
        looks / seconds / processes,
        transactions / seconds / processes,
        server / seconds,
        worker / seconds,
        (after.exchanges - idle.exchanges - beside) / messages,
        percentiles[49],
        percentiles[98],
    )


def _prepare(folder: Path, connections: int) -> None:
    """Let the server take that many connections, and count calls of functions, once it starts anew."""
    with embedded.running(folder) as url:
        for change in (f"max_connections = {connections}", "track_functions = 'pl'"):
            _execute(url, f"ALTER SYSTEM SET {change}")


def _wait_for(track: Course, processes: int) -> None:
    deadline = time.monotonic() + COMING_SECONDS
    while _asked(track, COME) < (processes,):
        assert time.monotonic() < deadline, (track.folder / "workers.log").read_text()[-2000:]
        time.sleep(1)


def _moment(track: Course, workers: int) -> Moment:
    assert track.server
    looks, exchanges, transactions = map(int, _asked(track, CALLED))
    server, worker = processor_seconds([track.server]), processor_seconds([workers])
    return Moment(time.monotonic(), looks, exchanges, transactions, server, worker)


def _asked(track: Course, question: str) -> tuple[Any, ...]:
    return _execute(track.database, question)


def _execute(url: str, statement: str) -> tuple[Any, ...]:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    conn.close()
    return row or ()


if __name__ == "__main__":
    main()
