"""What a message costs PostgreSQL where a relay carries it to RabbitMQ, beside what it costs where workers claim it.

python -m bench.relay [--messages 40000] [--rounds 3] [--json]

Messages that wait are worked off by two worker processes that do nothing with them, by turns with RabbitMQ and without,
each time from a fresh database; the cost is the server's until the last has run, has left PostgreSQL, and VACUUM has
cleared up after it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import psycopg2
from rich.console import Console
from rich.table import Table

import settings
from bench import servers
from bench.contestants import BRIDGED, OURS, Contestant
from bench.cost import Cost, between, processor_seconds
from bench.course import PROCESSES, Course, course
from bench.watch import Watch

FILL = Path(__file__).parent / "sql"
WAYS: dict[str, tuple[Contestant, str]] = {
    "sent by SQL": (OURS, "fill_by_sql.sql"),
    "sent to pgmq": (BRIDGED, "fill_pgmq.sql"),
}
WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
LEFT = "SELECT count(*) FROM dramatiq.queue WHERE state IN ('queued', 'consumed')"
MOST_SECONDS = 120
LOOK_SECONDS = 0.05


class Drain(NamedTuple):
    """What a message costs the server to be sent, and to be worked off; how many a second ran."""

    to_send_us: float
    to_send_wal_bytes: float
    cost: Cost
    per_second: float


@click.command()
@click.option("--messages", default=40_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(messages: int, rounds: int, as_json: bool) -> None:
    """Measure both ways of working off what SQL and pgmq were sent."""
    found: dict[tuple[str, str], list[Drain]] = {}
    with servers.fresh(settings.ROOT / "var" / "bench-relay") as running:
        running.start("rabbitmq")
        for _ in range(rounds):
            for way, (contestant, fill) in WAYS.items():
                for url in ("", running.environment["RABBITMQ_URL"]):
                    track = course(running, contestant)
                    found.setdefault((way, "relayed" if url else "claimed"), []).append(
                        drained(track, FILL / fill, messages, url)
                    )
    figures = {
        f"{way}, {how}": {
            "to_send_us": round(median(run.to_send_us for run in runs), 1),
            "to_send_wal_bytes": round(median(run.to_send_wal_bytes for run in runs)),
            "server_us": round(median(run.cost.server_us for run in runs), 1),
            "wal_bytes": round(median(run.cost.wal_bytes for run in runs)),
            "per_second": round(median(run.per_second for run in runs)),
        }
        for (way, how), runs in found.items()
    }
    report(figures, as_json)


def drained(track: Course, fill: Path, messages: int, url: str, processes: int = PROCESSES) -> Drain:
    """Send messages, then have them worked off."""
    track.environment["BROKER_URL"] = url
    introduce(track)
    before = spent(track)
    track.execute(fill.read_text(), count=messages)
    to_send = [(late - early) / messages for early, late in zip(before, spent(track), strict=True)]
    track.settle()
    empty_rabbitmq(url)
    with track.working(processes) as workers, Watch(workers, track) as watch:
        began = watch.spent()
        with relay(track) if url else nullcontext():
            seen = track.wait_until_ran(messages, MOST_SECONDS)
            until_left(track)
        track.execute("VACUUM dramatiq.queue")  # what each way leaves to be cleared up
        ended = watch.spent()
    cost = between(began, ended)
    assert cost, track.folder
    return Drain(1e6 * to_send[0], to_send[1], cost, seen.messages / seen.seconds)


def spent(track: Course) -> tuple[float, int]:
    """The server's processor's seconds, and how many bytes it has logged ahead."""
    assert track.server
    return processor_seconds([track.server]), asked(track, WRITTEN)


def introduce(track: Course) -> None:
    """Let SQL know the actor: a worker tells it as it starts."""
    with track.working(processes=1, threads=1):
        deadline = time.monotonic() + MOST_SECONDS
        while not asked(track, "SELECT count(*) FROM dramatiq.actor WHERE name = 'noop'"):
            assert time.monotonic() < deadline
            time.sleep(LOOK_SECONDS)


def empty_rabbitmq(url: str) -> None:
    if url:
        from messaging.amqp import QuorumQueues

        queues = QuorumQueues([url])
        for queue in ("default", "analytics"):
            queues.flush(queue)  # type: ignore[no-untyped-call]
        queues.close()  # type: ignore[no-untyped-call]


@contextmanager
def relay(track: Course) -> Iterator[None]:
    """A relay beside the servers, wherever the workers are."""
    beside = {"DATABASE_URL": track.database, "BROKER_LISTEN": "on", "BROKER_URL": track.environment["RABBITMQ_URL"]}
    with (track.folder / "relay.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "relay"], cwd=settings.ROOT, env=track.environment | beside, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def until_left(track: Course) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while asked(track, LEFT) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def asked(track: Course, statement: str) -> int:
    conn = psycopg2.connect(track.database)
    try:
        with conn.cursor() as cursor:
            cursor.execute(statement)
            [(count,)] = cursor.fetchall()
            return int(count)
    finally:
        conn.close()


def report(figures: dict[str, dict[str, float]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("Messages", "to send, µs", "WAL, bytes", "to work off, µs", "WAL, bytes", "a second")
    for way, figure in figures.items():
        table.add_row(way, *(f"{value:,}" for value in figure.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
