"""What runs right now: messages in their workers, where the threads stand, and who waits for whose lock."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dramatiq.middleware import TimeLimit

import actors  # noqa: F401 - declares them, with their time limits
from broker import broker
from db import queries
from db.connection import Connection
from db.database import transaction
from errors import Refused

PATIENCE_SECONDS = 15.0  # for a worker's answer, which comes with its next beat
LOOK_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Run:
    """A message that a worker holds; since when, and after how many seconds in all it is ended."""

    id: str
    queue: str
    actor: str | None
    worker: int
    host: str | None
    pid: int | None
    since: datetime
    attempt: int
    limit_seconds: float
    is_cancelled: bool  # a person wants it to end


@dataclass(frozen=True)
class Look:
    """Where a worker's threads stand; no stacks before it has answered, and `is_late` where it should have."""

    asked_at: datetime
    stacks: list[dict[str, Any]] | None
    is_late: bool


def running(conn: Connection) -> list[Run]:
    """What is held, longest first."""
    rows = [row._asdict() for row in queries.running.list_running(conn)]
    return [Run(limit_seconds=_limit(row["actor"], row.pop("time_limit")) / 1000, **row) for row in rows]


def blocked(conn: Connection) -> list[dict[str, Any]]:
    """Sessions that wait for others' locks, and for whose, as far as this role may see."""
    return [row._asdict() for row in queries.running.list_blocked(conn)]


def look_into(conn: Connection, worker: int) -> None:
    """Ask a worker where its threads stand: `seen` gives its answer, which comes with its next beat."""
    queries.running.look_into(conn, worker=worker)


def seen(conn: Connection, worker: int) -> Look | None:
    """What a worker has answered to who asked last; None where nobody has within a minute."""
    row = queries.running.look(conn, worker=worker)
    return row and Look(row.asked_at, row.stacks, is_late=row.waited.total_seconds() > PATIENCE_SECONDS)


def sees_all(conn: Connection) -> bool:
    """Whether `blocked` tells of other roles' sessions, too."""
    return bool(queries.running.sees_all_sessions(conn))


def stacks(worker: int, patience_seconds: float = PATIENCE_SECONDS) -> list[dict[str, Any]]:
    """Where the threads of a worker stand: its pulse tells, however its actors hang.

    Raises:
        Refused: it does not answer.
    """
    with transaction() as conn:
        look_into(conn, worker)
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        with transaction() as conn:
            look = seen(conn, worker)
        if look and look.stacks:
            return look.stacks
        time.sleep(LOOK_PAUSE_SECONDS)
    raise Refused(
        "Worker %(worker)s has not answered in %(seconds)s s: it is dead, frozen, or of an older version. "
        "`balansity status` tells who lives.",
        worker=worker,
        seconds=f"{patience_seconds:g}",
    )


def worker_of(conn: Connection, named: str) -> int:
    """The worker of that number, or the one that holds the message whose id begins so.

    Raises:
        Refused: there is none, or there are several.
    """
    if named.isdecimal() and int(named) in {row.id for row in queries.running.workers(conn)}:
        return int(named)
    held = {run.id: run.worker for run in running(conn) if run.id.startswith(named.lower())}
    if len(held) != 1:
        if held:
            raise Refused("%(name)r begins several: %(names)s.", name=named, names=", ".join(held))
        raise Refused(
            "%(name)r names no worker, and no message that one runs: `balansity running` lists them.", name=named
        )
    return next(iter(held.values()))


def _limit(actor: str | None, own: int | None) -> float:
    """A run's time limit in milliseconds: the message's, else its actor's, else Dramatiq's."""
    options = broker.actors[actor].options if actor in broker.actors else {}
    return float(own or options.get("time_limit") or TimeLimit().time_limit)
