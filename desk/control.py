"""A person's hand on the broker: queues are paused and go on, messages are cancelled or discarded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

import settings
from db import overview, queries
from db.batches import Batches, Done, Work, work_through
from db.connection import Connection
from db.database import transaction
from desk.decision import Decision, record
from desk.messages import Filter
from errors import BalansityError
from zones import clock_time

NAMED = 5  # ids that the operators' log names of those that a person named
UNENDED = ("waiting", "delayed", "set aside", "running")
GIVEN_UP = ("dead", "cancelled")


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


class Named(NamedTuple):
    """A message that a person named; how large it is nobody asked."""

    key: str
    bytes: int = 0


@dataclass(frozen=True)
class Chosen:
    """The messages that a person means: those of these ids, or those that a filter finds."""

    ids: Sequence[str] = ()
    which: Filter | None = None

    def filters(self, states: Sequence[str]) -> Iterator[Filter]:
        """The filter in each of these states, each of which has an index."""
        if self.which:
            wanted = [self.which.state] if self.which.state else states
            yield from (replace(self.which, state=state) for state in wanted)

    def __str__(self) -> str:
        """For the operators' log: ids and the filter's names, without what messages were given."""
        if self.which is None:
            return ", ".join(self.ids[:NAMED]) + (f" and {len(self.ids) - NAMED} more" * (len(self.ids) > NAMED))
        said = {name: value for name, value in vars(self.which).items() if value is not None and name != "arguments"}
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "all"


def cancel(chosen: Chosen, decision: Decision, told: Callable[[int], object] = lambda _: None) -> Done:
    """Cancel what waits of these messages, in batches, and ask the workers to end what runs.

    Counts: `cancelled`, and `asked` of those that run.
    """

    def work(conn: Connection, ids: list[str]) -> dict[str, int]:
        cancelled, asked = queries.cancellations.cancel(conn, ids=ids, who=decision.who, reason=decision.reason.strip())
        queries.deliveries.close_cancelled(conn, ids=ids)
        if cancelled + asked:
            record(conn, decision, "cancel", str(chosen), cancelled + asked)
        return {"cancelled": cancelled, "asked": asked}

    return _work_through(chosen, UNENDED, work, told)


def discard(chosen: Chosen, decision: Decision, told: Callable[[int], object] = lambda _: None) -> Done:
    """Delete these messages for good where they are dead or cancelled, in batches; counts: `discarded`."""

    def work(conn: Connection, ids: list[str]) -> dict[str, int]:
        discarded = queries.cancellations.discard(conn, ids=ids)
        if discarded:
            record(conn, decision, "discard", str(chosen), discarded)
        return {"discarded": discarded}

    return _work_through(chosen, GIVEN_UP, work, told)


def _work_through(chosen: Chosen, states: Sequence[str], work: Work, told: Callable[[int], object]) -> Done:
    if chosen.which is None:
        batches = Batches(transaction, "message", work, told=told)
        batches.take(map(Named, chosen.ids))
        return batches.done
    done = Done()
    for which in chosen.filters(states):
        page = partial(queries.messages.page_found, filter=which.json())
        done.add(work_through(transaction, "message", page, work, told=told))
    return done
