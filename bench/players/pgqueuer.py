"""PgQueuer with asyncpg; handlers do their work in threads, as blocking work needs."""

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from bench import probe

BATCH = 5_000
THREADS = 8
CLAIMS = 100  # jobs taken at once; its default of 10 is slower here
URL = os.environ["DATABASE_URL"]


def install() -> None:
    asyncio.run(_install())


async def _install() -> None:
    await (await _queries()).install()


def send(count: int) -> None:
    asyncio.run(_send(count))


async def _send(count: int) -> None:
    queries = await _queries()
    for number in range(count):
        await queries.enqueue("noop", str(number).encode())


def bulk(count: int) -> None:
    asyncio.run(_bulk(count))


async def _bulk(count: int) -> None:
    queries = await _queries()
    for start in range(0, count, BATCH):
        batch = range(start, min(start + BATCH, count))
        await queries.enqueue(["noop"] * len(batch), [str(number).encode() for number in batch], [0] * len(batch))


fill = bulk


def pace(count: int, per_second: int) -> None:
    asyncio.run(_pace(count, per_second))


async def _pace(count: int, per_second: int) -> None:
    queries = await _queries()
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
        await queries.enqueue("note", str(time.monotonic_ns()).encode())


def work() -> None:
    asyncio.run(serve(in_threads=True))


async def serve(*, in_threads: bool) -> None:
    """Run a worker until SIGTERM."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    manager = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

    async def noop(job: Any) -> None:
        del job
        if in_threads:
            await asyncio.to_thread(probe.touch)
        else:
            probe.touch()

    async def note(job: Any) -> None:
        if in_threads:
            await asyncio.to_thread(probe.note, int(job.payload))
        else:
            probe.note(int(job.payload))

    manager.entrypoint("noop")(noop)
    manager.entrypoint("note")(note)
    loop.add_signal_handler(signal.SIGTERM, manager.shutdown.set)
    await manager.run(batch_size=CLAIMS, dequeue_timeout=timedelta(seconds=1))


async def _queries() -> Queries:
    return Queries(AsyncpgDriver(await asyncpg.connect(URL)))
