"""What the system holds right now, each row by its columns' names: for the terminal and for the first page."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from db import clock, queries
from db.connection import Connection
from domain.slots import is_ahead, next_slots

Row = dict[str, Any]

QUEUE = ("queue", "waiting", "delayed", "running", "done", "dead", "oldest_seconds")
PGMQ = ("queue", "waiting")
WORKER = ("worker", "host", "pid", "silent_seconds")
MAILS = ("template", "state", "count")
JOB = ("job", "schedule", "time_zone", "paused", "planned_until", "latest_run", "state", "outcome")
NEXT_RUNS = 3


def queues(conn: Connection) -> list[Row]:
    return _named(QUEUE, queries.messages.count_messages(conn))


def pgmq(conn: Connection) -> list[Row]:
    return _named(PGMQ, queries.messages.count_pgmq(conn))


def workers(conn: Connection) -> list[Row]:
    return _named(WORKER, queries.messages.list_workers(conn))


def mails(conn: Connection) -> list[Row]:
    return _named(MAILS, queries.messages.count_mails(conn))


def jobs(conn: Connection) -> list[Row]:
    """Every job with its latest run, its next ones (of a paused one none), and whether it is `ahead` of the clock."""
    now = clock.now(conn)
    rows = _named(JOB, queries.jobs.list_jobs_with_latest(conn))
    for job in rows:
        job["ahead"] = is_ahead(job["planned_until"], now)
        after, zone = max(job["planned_until"], now), ZoneInfo(job["time_zone"])
        job["next_runs"] = [] if job["paused"] else next_slots(job["schedule"], zone, after, NEXT_RUNS)
    return rows


def _named(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in rows]
