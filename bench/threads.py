"""What many threads of one process send together, beside what bare inserts from as many threads reach.

python -m bench.threads [--rounds 7] [--json]
"""

import json
import os
import statistics
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click
import dramatiq
import psycopg2
from rich.console import Console
from rich.progress import track
from rich.table import Table

import settings
from bench.databases import fresh
from broker import broker
from db import embedded
from messaging.encoding import encoded

THREADS = 16
MESSAGES = 4_000  # of each round, by all threads together
INSERT = "INSERT INTO dramatiq.queue (message_id, queue_name, state, message) VALUES (%s, %s, 'queued', %s)"

Sender = Callable[[int], None]  # sends so many messages, one after another


@dramatiq.actor(broker=broker, queue_name="default")
def noop(number: int) -> None:
    """What is sent; nothing runs it."""


@click.command()
@click.option("--rounds", default=7, show_default=True, help="Rounds of each, in turns.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(rounds: int, as_json: bool) -> None:
    """Measure messages a second."""
    with embedded.running(settings.ROOT / "var" / "bench-threads") as server:
        url = fresh(server, "bench_threads")
        os.environ.update(DATABASE_URL=url, DATABASE_POOL_SIZE=str(THREADS))
        settings.current.cache_clear()
        bare, ours = _both(url, rounds)
    result = {
        "threads": THREADS,
        "bare_per_second": round(statistics.median(bare)),
        "ours_per_second": round(statistics.median(ours)),
        "share": round(statistics.median(own / other for own, other in zip(ours, bare, strict=True)), 3),
        "shares": sorted(round(own / other, 3) for own, other in zip(ours, bare, strict=True)),
    }
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table("What", "Messages a second", title=f"{THREADS} threads of one process, medians of {rounds} rounds")
    table.add_row("bare inserts by psycopg2", f"{result['bare_per_second']:,}")
    table.add_row("send()", f"{result['ours_per_second']:,}  ({result['share']:.0%})")
    Console().print(table)


def _both(url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Messages a second of each round; both have their connections open before the clock starts."""
    bare, ours = [], []
    local = threading.local()
    with ThreadPoolExecutor(THREADS, initializer=lambda: setattr(local, "conn", _connected(url))) as pool:
        for _ in track(range(rounds + 1), "Rounds", console=Console(stderr=True)):
            bare.append(_rate(pool, lambda count: _insert(local.conn, count)))
            ours.append(_rate(pool, _send))
            _empty(url)
        list(pool.map(lambda _: local.conn.close(), range(THREADS)))
    return bare[1:], ours[1:]  # the first round warms up


def _rate(pool: ThreadPoolExecutor, send: Sender) -> float:
    began = time.perf_counter()
    list(pool.map(send, [MESSAGES // THREADS] * THREADS))
    return MESSAGES / (time.perf_counter() - began)


def _send(count: int) -> None:
    for number in range(count):
        noop.send(number)


def _insert(conn: psycopg2.extensions.connection, count: int) -> None:
    with conn.cursor() as cursor:
        for number in range(count):
            message = noop.message(number)
            cursor.execute(INSERT, (str(uuid.UUID(message.message_id)), "default", encoded(message, vars(message))))


def _connected(url: str) -> psycopg2.extensions.connection:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    return conn


def _empty(url: str) -> None:
    conn = _connected(url)
    with conn.cursor() as cursor:
        cursor.execute("TRUNCATE dramatiq.queue")
    conn.close()


if __name__ == "__main__":
    main()
