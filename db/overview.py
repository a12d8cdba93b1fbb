"""What the system holds right now, each row by its columns' names: for the terminal and for the first page."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from db import queries
from domain.slots import next_slot

Row = dict[str, Any]

QUEUE = ("queue", "waiting", "delayed", "running", "done", "dead", "oldest_seconds")
PGMQ = ("queue", "waiting")
WORKER = ("worker", "host", "pid", "silent_seconds")
MAILS = ("template", "state", "count")
JOB = ("job", "schedule", "time_zone", "paused", "latest_run", "state", "outcome")

messages = queries.load("messages")
schedule = queries.load("jobs")


def queues(conn: Connection) -> list[Row]:
    return _named(QUEUE, messages.count_messages(conn))


def pgmq(conn: Connection) -> list[Row]:
    return _named(PGMQ, messages.count_pgmq(conn))


def workers(conn: Connection) -> list[Row]:
    return _named(WORKER, messages.list_workers(conn))


def mails(conn: Connection) -> list[Row]:
    return _named(MAILS, messages.count_mails(conn))


def jobs(conn: Connection, now: datetime) -> list[Row]:
    """Every job with its latest run and its next one; a paused job has none."""
    return [_with_next_run(job, now) for job in _named(JOB, schedule.list_jobs_with_latest(conn))]


def _with_next_run(job: Row, now: datetime) -> Row:
    paused = job.pop("paused")
    return {**job, "next_run": None if paused else next_slot(job["schedule"], ZoneInfo(job["time_zone"]), now)}


def _named(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in rows]
