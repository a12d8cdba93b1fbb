"""Procrastinate with psycopg: ordinary functions, run in threads."""

import os
import time

import procrastinate

from bench import probe
from bench.players.pace import at_pace

BATCH = 5_000
THREADS = 8
URL = os.environ["DATABASE_URL"]

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL))
client = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=URL))


@app.task(name="noop")
def noop(number: int) -> None:
    del number
    probe.touch()


@app.task(name="note")
def note(sent_at: int) -> None:
    probe.note(sent_at)


def install() -> None:
    with client.open():
        client.schema_manager.apply_schema()


def send(count: int) -> None:
    with client.open():
        for number in range(count):
            client.configure_task("noop").defer(number=number)


def bulk(count: int) -> None:
    with client.open():
        for start in range(0, count, BATCH):
            batch = range(start, min(start + BATCH, count))
            client.configure_task("noop").batch_defer(*({"number": number} for number in batch))


fill = bulk


def pace(count: int, per_second: int) -> None:
    with client.open():
        at_pace(count, per_second, lambda: client.configure_task("note").defer(sent_at=time.monotonic_ns()))


def work() -> None:
    app.run_worker(concurrency=THREADS, delete_jobs="never")
