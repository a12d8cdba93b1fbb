"""What is dearer after a while in which somebody held an old snapshot: looks for messages, and rows that change often.

python -m bench.snapshot [--messages 50000] [--changes 15000] [--json]
python -m bench.snapshot --minutes 15 [--way ours-pgmq] [--json]

What each call costs the server's processor, at the start and once so many messages were worked off, or the row has
changed so often: on a machine that others use, too, that is told more surely than a time. With --minutes, how drains
fare: of two servers with workers one has a session that holds a snapshot, and they drain in turn (`bench/rounds.py`).
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from time import sleep
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import actors
import settings
from bench import rounds
from bench.contestants import BRIDGED, OURS
from bench.databases import fresh
from bench.measures import held_snapshot
from db import embedded, queries
from db.connection import Connection, connect

PARTS = 5  # of a run of drains, each with medians of its own
TIMES = 100  # a call is made for one figure
BATCH = 250
RECENT_SECONDS = 4  # what was moved within them is walked still
ABILITIES = [f"actor_{number}(one, two, three, four; five, six)" for number in range(20)]
HERE = """SELECT dramatiq.send('record_event', '{"type": "visit"}', key => %s) FROM generate_series(1, %%s)"""
WAYS = {
    "through pgmq": """SELECT pgmq.send('analytics_queue', '{"type": "visit"}') FROM generate_series(1, %s)""",
    "sent here": HERE % "NULL",
    "sent here, a key each": HERE % "gen_random_uuid()::text",
    "delayed here": HERE % "NULL, delay => '1 millisecond'",
}

DRAINS = {each.name: each for each in (OURS, BRIDGED)}

Call = Callable[[], Any]
Pair = tuple[float, float]  # milliseconds at the start, and after that


@click.command()
@click.option("--messages", default=50_000, show_default=True, help="How many are worked off meanwhile.")
@click.option("--changes", default=15_000, show_default=True, help="How often each row changes meanwhile.")
@click.option("--minutes", type=float, help="Drain in rounds for so long instead.")
@click.option(
    "--way",
    "drained",
    type=click.Choice(list(DRAINS)),
    default=OURS.name,
    show_default=True,
    help="What is drained then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(messages: int, changes: int, minutes: float | None, drained: str, *, as_json: bool) -> None:
    """Measure what each call costs the server, in milliseconds of processor time, or how drains fare."""
    if minutes:
        tell_drains(rounds.drains(DRAINS[drained], minutes), as_json=as_json)
        return
    figures: dict[str, Pair] = {}
    with embedded.running(settings.ROOT / "var" / "bench-snapshot") as server:
        for way, send in WAYS.items():
            with database(server) as conn:
                figures |= {f"{name}, {way}": pair for name, pair in looked(Worker(conn), send, messages)}
        with database(server) as conn:
            figures |= dict(changed(conn, changes))
    if as_json:
        click.echo(json.dumps(figures))
        return
    table = Table("call", "at the start, ms", "after that, ms")
    for name, (before, after) in figures.items():
        table.add_row(name, f"{before:.2f}", f"{after:.2f}")
    Console().print(table)


def tell_drains(pairs: list[rounds.Pair], *, as_json: bool) -> None:
    """The medians of each part of the run, from its start to its end."""
    parts = rounds.parts(pairs, PARTS)
    if as_json:
        told = [{"alone": part.alone._asdict(), "held": part.held._asdict(), "kept": part.kept} for part in parts]
        click.echo(json.dumps({"pairs": len(pairs), "parts": told}))
        return
    table = Table("alone, /s", "held, /s", "kept, pair by pair", "server alone, µs", "server held, µs")
    for part in parts:
        table.add_row(
            f"{part.alone.rate:,.0f}",
            f"{part.held.rate:,.0f}",
            f"{part.kept:.2f}",
            f"{part.alone.server_us:.1f}",
            f"{part.held.server_us:.1f}",
        )
    Console().print(table)
    click.echo(f"{len(pairs)} pairs of {rounds.MESSAGES:,} messages")


@contextmanager
def database(server: str) -> Iterator[Connection]:
    """A session in a fresh database, of which somebody holds a snapshot."""
    url = fresh(server, "bench")
    actors.publish(url)
    conn = connect(url)
    conn.autocommit = True
    with held_snapshot(url):
        yield conn
    conn.close()


def milliseconds(conn: Connection, call: Call) -> float:
    """That the server's process of this session works for a call, the median of many."""
    clock = Path(f"/proc/{conn.info.backend_pid}/schedstat")
    worked = []
    for _ in range(TIMES):
        before = int(clock.read_text().split()[0])
        call()
        worked.append(int(clock.read_text().split()[0]) - before)
    return median(worked) / 1e6


class Worker:
    """A worker's exchanges: each acks what the one before it claimed."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.id: int = queries.broker.register(conn, host="bench", pid=1, abilities=[])
        self.held: list[Any] = []

    def exchange(self, limit: int = 8) -> int:
        """Returns how many it claimed."""
        self.held = list(
            queries.broker.exchange(
                self.conn,
                worker=self.id,
                queue="analytics",
                done=[claim[0] for claim in self.held],
                attempts=[claim[1] for claim in self.held],
                limit=limit,
                pgmq_queue="analytics_queue",
                actor="record_event",
                after=None,
            )
        )
        return len(self.held)

    def is_called_for(self) -> bool:
        """Whether somebody has left word of a line."""
        with self.conn.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM dramatiq.changed_line)")
            return bool(cursor.fetchall()[0][0])

    def news(self) -> None:
        list(queries.broker.news(self.conn, worker=self.id, queues=["analytics"]))

    def take_along(self) -> None:
        list(queries.analytics.take_along(self.conn, count=BATCH))

    def next_due(self) -> float | None:
        seconds: float | None = queries.broker.next_due(self.conn, queue="analytics", pgmq_queue="analytics_queue")
        return seconds


def looked(worker: Worker, send: str, messages: int) -> Iterator[tuple[str, Pair]]:
    """What a worker asks while little comes."""

    def one() -> None:
        run(worker.conn, send, 1)
        while not worker.exchange():
            pass

    looks: dict[str, Call] = {
        "a message that is sent and claimed": one,
        "an exchange that finds nothing": worker.exchange,
        "when something falls due": worker.next_due,
        "news for who rests": worker.news,
        "what an actor takes along": worker.take_along,
    }
    first = {name: milliseconds(worker.conn, look) for name, look in looks.items()}
    for _ in range(0, messages, BATCH):
        run(worker.conn, send, BATCH)
        while worker.exchange(BATCH) or worker.is_called_for() or worker.next_due() is not None:
            pass
    run(worker.conn, "ANALYZE")  # as the server does by itself, once all is worked off too
    sleep(RECENT_SECONDS)
    for name, look in looks.items():
        yield name, (first[name], milliseconds(worker.conn, look))


def changed(conn: Connection, changes: int) -> Iterator[tuple[str, Pair]]:
    for name, change in changing(conn):
        before = milliseconds(conn, change)
        for _ in range(changes):
            change()
        yield name, (before, milliseconds(conn, change))


def changing(conn: Connection) -> Iterator[tuple[str, Call]]:
    """Calls that change one row each, again and again."""
    numbers, worker, scheduler = count(1), Worker(conn), str(uuid.uuid4())
    about = {"host": "bench", "pid": 1}
    heartbeat = partial(queries.broker.heartbeat, conn, worker=worker.id, abilities=ABILITIES, hears=True, **about)
    yield "a worker's heartbeat", lambda: heartbeat(beats=next(numbers))
    yield "an exchange beside those heartbeats", worker.exchange
    yield "a scheduler's heartbeat", lambda: queries.jobs.beat(conn, id=scheduler, beats=next(numbers), **about)
    places = "SELECT balansity.take_places('sendgrid', 1, '1 microsecond', '1 hour')"
    yield "places for mails", partial(run, conn, places)
    yield "a rate limiter", partial(queries.limits.count, conn, key="limit", amount=1, low=0, high=None, ttl=3_600_000)
    queries.groups.begin(conn, group="group", members=1_000_000_000)
    count_member = partial(queries.groups.count_member, conn, group="group")
    yield "a group's member that ends", lambda: count_member(member=str(uuid.uuid4()))


def run(conn: Connection, statement: str, *arguments: Any) -> None:
    with conn.cursor() as cursor:
        cursor.execute(statement, arguments)


if __name__ == "__main__":
    main()
