"""The jobs' history of a period, folded; and a person's hand on a job."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import scheduler
from db import clock, queries
from db.connection import Connection
from desk.decision import Decision, record_once
from errors import Refused

LONG = timedelta(seconds=30)  # a run that took longer is told by itself


@dataclass(frozen=True)
class Folded:
    """What a job did in a period; times are slots."""

    job: str
    runs: int
    failed: int
    unfinished: int
    skipped: int
    first: datetime
    last: datetime
    longest_seconds: float | None
    state: str | None  # of the last run, and what it came to
    outcome: str | None


@dataclass(frozen=True)
class Run:
    """One run: why it failed, or what it did for so long."""

    job: str
    slot: datetime
    state: str
    attempts: int
    started_at: datetime | None
    took_seconds: float | None
    outcome: str | None


def folded(conn: Connection, start: datetime, end: datetime, job: str | None = None) -> list[Folded]:
    """What each job did from one moment to before another, a line each."""
    return [Folded(**row._asdict()) for row in queries.jobs.folded(conn, start=start, end=end, job=job)]


def remarkable(  # noqa: PLR0913 - a period, and which of its runs
    conn: Connection, start: datetime, end: datetime, limit: int, *, job: str | None = None, failed: bool = False
) -> list[Run]:
    """The runs of a period that failed or took long, or only the `failed` ones; the latest first."""
    found = queries.jobs.remarkable(conn, start=start, end=end, job=job, patience=None if failed else LONG, limit=limit)
    return [Run(**row._asdict()) for row in found]


def count_remarkable(
    conn: Connection, start: datetime, end: datetime, *, job: str | None = None, failed: bool = False
) -> int:
    patience = None if failed else LONG
    return int(queries.jobs.count_remarkable(conn, start=start, end=end, job=job, patience=patience))


def run(conn: Connection, name: str, decision: Decision) -> None:
    """Run a job once, outside its schedule."""
    if record_once(conn, decision, "run job", name):
        scheduler.run_now(conn, name, clock.now(conn))


def pause(conn: Connection, name: str, decision: Decision) -> None:
    """Stop a job, whichever scheduler keeps it, until it is resumed; what is due already still runs.

    Raises:
        Refused: it is paused already.
    """
    if record_once(conn, decision, "pause job", name):
        now = clock.now(conn)
        if not scheduler.pause(conn, name, now, decision.who, decision.reason.strip()):
            raise Refused("Job %(name)s is paused already.", name=name)


def resume(conn: Connection, name: str, decision: Decision) -> None:
    """Let a paused job go on from now.

    Raises:
        Refused: it is not paused.
    """
    if record_once(conn, decision, "resume job", name) and not scheduler.resume(conn, name, clock.now(conn)):
        raise Refused("Job %(name)s is not paused.", name=name)
