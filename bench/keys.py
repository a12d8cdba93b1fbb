"""What MESSAGE_KEYS cost: mail orders that wait are drained with keys and without, sent directly and through pgmq.

python -m bench.keys [--orders 20000] [--rounds 3] [--json]
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import click
import dramatiq
import psycopg2
from rich.console import Console
from rich.table import Table

import settings
from bench import probe
from db import embedded
from db.connection import Pool
from db.migrate import migrate
from messaging.broker import PostgresBroker
from procfile import environment
from values import key_bytes

ACTORS = "bench.players.ours_bridged"  # one that does nothing, with a route
WORKER = ["dramatiq", ACTORS, "--processes", "1", "--threads", "8", "--queues", "analytics"]
KEY = b64encode(bytes(range(32))).decode()
BATCH = 5_000
POLL_SECONDS = 0.02
ORDER = {
    "to": "family@example.com",
    "subject": "Ваш отчет готов",
    "template": "report_ready",
    "variables": {"name": "Анна", "report_id": "0d6c2b1e-5c0f-4f6a-9d0b-2f0f5b7c1a11"},
    "priority": 0,
    "created_at": "2026-11-23T12:00:00+00:00",
}


@click.command()
@click.option("--orders", default=20_000, show_default=True, help=f"How many wait, a multiple of {BATCH}.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(orders: int, rounds: int, as_json: bool) -> None:
    """Measure what a worker needs for each order, and how many a second it drains."""
    ways = [(way, key) for way in ("direct", "pgmq") for key in ("", KEY)]
    cost: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    rate: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    with (
        embedded.running(settings.ROOT / "var" / "bench-keys") as server,
        tempfile.TemporaryDirectory() as folder,
        database(server, "bench_empty") as empty,
    ):
        migrate(empty)
        for way, key in ways * rounds:
            with database(server, "bench_keys", "bench_empty") as url:
                start_up, _ = drain(url, key, Path(tempfile.mkdtemp(dir=folder)), 0)
                fill(url, way, key, orders)
                spent, per_second = drain(url, key, Path(tempfile.mkdtemp(dir=folder)), orders)
            cost[way, key].append((spent - start_up) / orders * 1e6)
            rate[way, key].append(per_second)
    figures = {
        f"{way}{', keys' if key else ''}": {
            "worker_microseconds": round(median(cost[way, key]), 1),
            "per_second": round(median(rate[way, key])),
            "cost_ratio": round(median(cost[way, key]) / median(cost[way, ""]), 2),
            "rate_ratio": round(median(rate[way, key]) / median(rate[way, ""]), 2),
        }
        for way, key in ways
    }
    report(figures, as_json)


@contextmanager
def database(server: str, name: str, template: str = "template1") -> Iterator[str]:
    conn = psycopg2.connect(server)
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield server.replace("/postgres?", f"/{name}?")
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    conn.close()


def fill(url: str, way: str, key: str, orders: int) -> None:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    with conn.cursor() as cursor:
        if way == "pgmq":
            cursor.execute(
                "SELECT count(*) FROM pgmq.send_batch('analytics_queue', array_fill(%s::jsonb, ARRAY[%s]))",
                (json.dumps(ORDER), orders),
            )
        else:
            send(url, key, orders)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    conn.close()


def send(url: str, key: str, orders: int) -> None:
    broker = PostgresBroker(Pool(lambda: url, lambda: 1), keys=lambda: [key_bytes(key)] if key else [])
    for _ in range(0, orders, BATCH):
        broker.enqueue_many(
            dramatiq.Message(queue_name="analytics", actor_name="noop", args=(), kwargs=ORDER, options={})
            for _ in range(BATCH)
        )
    broker.close()


def drain(url: str, key: str, folder: Path, orders: int) -> tuple[float, float]:
    """A worker's processor seconds from its start to its end, and how many messages a second it ran."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    surroundings = environment(url, MESSAGE_KEYS=key, BENCH_PROBE=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-m", *WORKER], cwd=settings.ROOT, env=surroundings, stderr=subprocess.DEVNULL
    )
    while not registered(url) or probe.seen(folder).messages < orders:
        time.sleep(POLL_SECONDS)
    process.terminate()
    process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, orders and orders / probe.seen(folder).seconds


def registered(url: str) -> bool:
    conn = psycopg2.connect(url)
    try:
        with conn.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM dramatiq.worker)")
            return cursor.fetchall() == [(True,)]
    finally:
        conn.close()


def report(figures: dict[str, dict[str, float]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("Orders", "worker, µs each", "a second", "cost, to without", "rate, to without")
    for way, figure in figures.items():
        table.add_row(way, *(f"{value:,}" for value in figure.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
