"""A person's hand on the broker: queues that are paused, and go on."""

from dataclasses import dataclass
from datetime import datetime

import settings
from db import overview, queries
from db.connection import Connection
from desk.decision import Decision, record
from errors import BalansityError
from zones import clock_time


@dataclass(frozen=True)
class Pause:
    """A queue of which nothing is claimed, until then or until somebody resumes it."""

    queue: str
    since: datetime
    until: datetime | None
    who: str
    reason: str

    def __str__(self) -> str:
        zone = settings.current().time_zone
        until = f"until {clock_time(self.until, zone)} {zone}" if self.until else "until it is resumed"
        return f"{self.queue} is paused {until} by {self.who}: {self.reason}"


def pauses(conn: Connection) -> list[Pause]:
    """The queues that are paused now."""
    return [Pause(**row._asdict()) for row in queries.pauses.current(conn)]


def pause(conn: Connection, queue: str, decision: Decision, until: datetime | None = None) -> None:
    """Let nothing more of a queue be claimed; what runs goes on, and what comes waits.

    Raises:
        BalansityError: there is no such queue.
    """
    _see(conn, queue)
    queries.pauses.pause(conn, queue=queue, until=until, who=decision.who, reason=decision.reason.strip())
    record(conn, decision, "pause queue", queue)


def resume(conn: Connection, queue: str, decision: Decision) -> None:
    """Let a queue go on now.

    Raises:
        BalansityError: there is no such queue, or it is not paused.
    """
    _see(conn, queue)
    if not queries.pauses.resume(conn, queue=queue):
        raise BalansityError(f"Queue {queue} is not paused: `balansity queues` shows which are.")
    record(conn, decision, "resume queue", queue)


def _see(conn: Connection, queue: str) -> None:
    """See that there is such a queue."""
    known = [row["queue"] for row in overview.queues(conn)]
    if queue not in known:
        raise BalansityError(f"There is no queue {queue!r}. There are: {', '.join(known) or 'none yet'}.")
