"""What the system holds right now, each row by its columns' names: for the terminal and for the first page."""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import settings
from db import clock, queries
from db.connection import Connection
from domain.quantile import quantile
from domain.slots import is_ahead, is_schedule, next_slots
from zones import zone_or

Row = dict[str, Any]

NEXT_RUNS = 3
LOOK_SECONDS = 7.0
LOOK_PAUSE_SECONDS = 0.1


def queues(conn: Connection) -> list[Row]:
    """Each queue now and in its last hour; seconds are from when a message was due until it was done, about."""
    return [
        {
            "queue": row.queue_name,
            "waiting": row.waiting,
            "delayed": row.delayed,
            "running": row.running,
            "dead": row.dead,
            "set_aside": row.set_aside,
            "oldest_seconds": round(row.oldest_seconds),
            "done_an_hour": row.done_an_hour,
            "p50_seconds": quantile(0.5, row.buckets, row.bounds),
            "p95_seconds": quantile(0.95, row.buckets, row.bounds),
        }
        for row in queries.messages.present(conn)
    ]


def pgmq(conn: Connection) -> list[Row]:
    return _named(queries.messages.count_pgmq(conn))


def workers(conn: Connection) -> list[Row]:
    return _named(queries.messages.list_workers(conn))


def schedulers(conn: Connection) -> list[Row]:
    return _named(queries.jobs.list_schedulers(conn))


class Living(NamedTuple):
    """The processes that live."""

    workers: set[int]
    schedulers: set[str]


def living(conn: Connection) -> Living:
    """Whose counts of beats move: two looks, as far apart as a beat may be from the next."""
    first = beats(conn)
    until = time.monotonic() + LOOK_SECONDS
    while True:
        moved = {process for process, count in beats(conn).items() if first.get(process) != count}
        if first.keys() <= moved or time.monotonic() > until:
            workers = {process for process in moved if isinstance(process, int)}
            return Living(workers, schedulers=moved - workers)
        time.sleep(LOOK_PAUSE_SECONDS)


def beats(conn: Connection) -> dict[Any, int]:
    """How often each process has said that it lives: workers by their numbers, schedulers by their UUIDs."""
    return {**dict(queries.broker.list_beats(conn)), **dict(queries.jobs.list_beats(conn))}


def providers(conn: Connection) -> list[Row]:
    return _named(queries.providers.list_states(conn))


def jobs(conn: Connection) -> list[Row]:
    """Every job with its latest run, its next ones (of a paused one none), and whether it is `ahead` of the clock."""
    now = clock.now(conn)
    rows = _named(queries.jobs.list_jobs_with_latest(conn))
    for job in rows:
        job["ahead"] = is_ahead(job["planned_until"], now)
        after, zone = max(job["planned_until"], now), zone_or(job["time_zone"], settings.current().time_zone)
        job["next_runs"] = (
            []
            if job["paused"] or not is_schedule(job["schedule"])
            else next_slots(job["schedule"], zone, after, NEXT_RUNS)
        )
    return rows


def _named(rows: Iterable[Any]) -> list[Row]:
    return [row._asdict() for row in rows]
