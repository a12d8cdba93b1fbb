"""What the doorbell costs whoever sends through pgmq, and how soon it wakes who sleeps.

python -m bench.doorbell [--clients 32] [--seconds 4] [--rounds 5] [--json]

So many clients of pgbench call pgmq.send, each in a transaction of its own, with the doorbell and without it by turns:
while nobody works, and while two worker processes work off what is sent.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median, quantiles

import click
from rich.console import Console
from rich.table import Table

import settings
from bench import servers
from bench.contestants import BRIDGED, OURS
from bench.course import Course, course
from bench.measures import Scale, latency
from db import embedded

SEND = """SELECT pgmq.send('analytics_queue', '{"name": "page_view"}')"""
BELL = "ALTER TABLE pgmq.q_analytics_queue {} TRIGGER ring"
WARM_UP_SECONDS = 1
PACED = Scale(pace=400)


@click.command()
@click.option("--clients", default=32, show_default=True, help="How many send at once.")
@click.option("--seconds", default=4, show_default=True, help="How long each of them sends in a turn.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(clients: int, seconds: int, rounds: int, as_json: bool) -> None:
    """Measure senders' rate with the doorbell, to that without it, and how long a message waits while all is idle."""
    with servers.fresh(settings.ROOT / "var" / "bench-doorbell") as started, scripts() as script:
        figures = {}
        for work in ("nobody works", "workers drain"):
            track = course(started, BRIDGED)
            with track.working() if work == "workers drain" else nullcontext():
                figures[work] = compared(track, script, clients, seconds, rounds)
        waits = quantiles(latency(course(started, OURS), PACED).waits, n=100)
    figures["idle"] = {"p50_ms": round(waits[49], 2), "p99_ms": round(waits[98], 2)}
    report(figures, as_json)


@contextmanager
def scripts() -> Iterator[Path]:
    """The file of what pgbench does."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(SEND)
        file.flush()
        yield Path(file.name)


def compared(track: Course, script: Path, clients: int, seconds: int, rounds: int) -> dict[str, float]:
    """Medians of what is sent a second, and of each round's ratio."""
    sent(track, script, clients, WARM_UP_SECONDS)
    turns = []
    for _ in range(rounds):
        rates = []
        for switch in ("DISABLE", "ENABLE"):
            track.execute(BELL.format(switch))
            rates.append(sent(track, script, clients, seconds))
        turns.append(rates)
    without, with_bell = (median(rates) for rates in zip(*turns, strict=True))
    return {
        "without": round(without),
        "with": round(with_bell),
        "ratio": round(median(rung / silent for silent, rung in turns), 2),
    }


def sent(track: Course, script: Path, clients: int, seconds: int) -> float:
    """How many messages a second all clients together sent."""
    command = [embedded.binaries() / "pgbench", "-n", "-c", clients, "-j", 2, "-T", seconds, "-f", script]
    done = subprocess.run([*map(str, command), track.database], capture_output=True, text=True, check=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def report(figures: dict[str, dict[str, float]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("Senders", "without, a second", "with, a second", "ratio")
    for work in ("nobody works", "workers drain"):
        table.add_row(work, *(f"{value:,}" for value in figures[work].values()))
    Console().print(table)
    print("From send to start while idle: p50 {p50_ms} ms, p99 {p99_ms} ms".format(**figures["idle"]))


if __name__ == "__main__":
    main()
