"""How far one PostgreSQL goes with workers on many machines, each a line's delay away, and how far RabbitMQ does.

python -m bench.machines [--messages 40000] [--milliseconds 1] [--rounds 3] [--json]

A machine is a worker process of 8 threads whose connections all go by a line that delays each piece, both ways; before
PostgreSQL stands PgBouncer in transaction mode. All run on this one machine, and so do the servers: what counts are the
ratios, and what a message costs the server.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import click
import psycopg2
from psycopg2.extensions import parse_dsn
from rich.console import Console
from rich.table import Table

import settings
from bench import servers
from bench.contestants import OURS
from bench.course import Course, course
from bench.distance import away
from bench.relay import FILL, drained
from tests.servers import pgbouncer

POOLED = 20  # connections of PgBouncer to PostgreSQL
TRIES = 50
WAYS = [
    ("1 machine", 1, "near", False),
    ("4 machines", 4, "near", False),
    ("1 machine, away, pooler", 1, "away", False),
    ("4 machines, away, pooler", 4, "away", False),
    ("4 machines, away, RabbitMQ", 4, "away", True),
]


@click.command()
@click.option("--messages", default=40_000, show_default=True)
@click.option("--milliseconds", default=1.0, show_default=True, help="That each piece takes, one way.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(messages: int, milliseconds: float, rounds: int, as_json: bool) -> None:
    """Drain messages that SQL has sent, by workers here and by workers some way off."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    with servers.fresh(settings.ROOT / "var" / "bench-machines") as running:
        running.start("rabbitmq")
        rabbitmq = running.environment["RABBITMQ_URL"]
        for _ in range(rounds):
            for way, machines, place, relayed in WAYS:
                track = course(running, OURS)
                with at(track, place, milliseconds, rabbitmq if relayed else "") as (url, trip):
                    run = drained(track, FILL / "fill_by_sql.sql", messages, url, machines)
                found.setdefault(way, []).append((run.per_second, run.cost.server_us, trip))
    figures = {
        way: dict(
            zip(("per_second", "server_us", "round_trip_ms"), map(_rounded, zip(*runs, strict=True)), strict=True)
        )
        for way, runs in found.items()
    }
    report(figures, as_json)


@contextmanager
def at(track: Course, place: str, milliseconds: float, rabbitmq: str) -> Iterator[tuple[str, float]]:
    """Workers of the course at a place: RabbitMQ's address from there, and PostgreSQL's round trip in milliseconds."""
    with ExitStack() as stack:
        if place == "away":
            pooled = parse_dsn(stack.enter_context(pgbouncer.running(track.database, connections=POOLED)))
            socket = Path(pooled["host"], f".s.PGSQL.{pooled['port']}")
            port = stack.enter_context(away(socket, milliseconds))
            address = f"postgresql://{pooled['user']}@127.0.0.1:{port}/{pooled['dbname']}"
            track.environment |= {"DATABASE_URL": address, "BROKER_LISTEN": "off"}
            if rabbitmq:
                port = stack.enter_context(away(int(urlsplit(rabbitmq).port or 0), milliseconds))
                rabbitmq = f"amqp://guest:guest@127.0.0.1:{port}"
        yield rabbitmq, round_trip_ms(track.environment["DATABASE_URL"])


def round_trip_ms(url: str) -> float:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    took = []
    with conn.cursor() as cursor:
        for _ in range(TRIES):
            began = time.perf_counter()
            cursor.execute("SELECT 1")
            took.append(1000 * (time.perf_counter() - began))
    conn.close()
    return median(took)


def _rounded(values: tuple[float, ...]) -> float:
    return round(median(values), 1)


def report(figures: dict[str, dict[str, float]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("Workers", "a second", "server, µs each", "round trip, ms")
    for way, figure in figures.items():
        table.add_row(way, *(f"{value:,}" for value in figure.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
