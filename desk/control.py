"""A person's hand on the broker: queues are paused and go on, messages are cancelled or discarded."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

import settings
from db import clock, overview, queries
from db.batches import Batches, Done, Row, Work, work_through
from db.connection import Connection
from db.database import transaction
from desk.decision import Decision, record, record_once
from desk.messages import Filter
from errors import Refused
from zones import clock_time

NAMED = 5  # ids that the operators' log names of those that a person named
UNTOLD = ("arguments", "kind")  # of a filter: they may name a person
GIVEN_UP_AT_ONCE = 5_000  # messages, a transaction
Told = Callable[[int], object]  # is told of each batch, how many rows it had
DEAD = ("dead",)
UNENDED = (
    "delayed",
    "set aside",
    "in line",
    "waiting",
    "running",
)  # in the order in which they move on: none slips past
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
        Refused: there is no such queue.
    """
    _see(conn, queue)
    queries.pauses.pause(conn, queue=queue, until=until, who=decision.who, reason=decision.reason.strip())
    record(conn, decision, "pause queue", queue)


def resume(conn: Connection, queue: str, decision: Decision) -> None:
    """Let a queue go on now.

    Raises:
        Refused: there is no such queue, or it is not paused.
    """
    _see(conn, queue)
    if not queries.pauses.resume(conn, queue=queue):
        raise Refused("Queue %(queue)s is not paused: `balansity queues` shows which are.", queue=queue)
    record(conn, decision, "resume queue", queue)


def _see(conn: Connection, queue: str) -> None:
    """See that there is such a queue."""
    known = [row["queue"] for row in overview.queues(conn)]
    if queue not in known:
        raise Refused("There is no queue %(queue)r. There are: %(known)s.", queue=queue, known=", ".join(known))


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
        """For the operators' log: ids and the filter's names, without what messages were given and what errors say."""
        if self.which is None:
            return ", ".join(self.ids[:NAMED]) + (f" and {len(self.ids) - NAMED} more" * (len(self.ids) > NAMED))
        said = {name: value for name, value in vars(self.which).items() if value is not None and name not in UNTOLD}
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "all"


def redrive(chosen: Chosen, decision: Decision, told: Told = lambda _: None) -> Done:
    """Send these messages back to work with a clean record of retries, in batches; counts: `redriven`.

    Of those that a filter finds, the ones that are dead by now: whoever dies again meanwhile stays dead.
    """
    if chosen.which and chosen.which.before is None:
        with transaction() as conn:
            chosen = Chosen(which=replace(chosen.which, before=clock.now(conn)))
    return _work_through(chosen, DEAD, _recorded(chosen, "redrive", decision), told)


def cancel(chosen: Chosen, decision: Decision, told: Told = lambda _: None) -> Done:
    """Cancel what waits of these messages, in batches, and ask the workers to end what runs.

    Counts: `cancelled`, and `asked` of those that run.
    """
    return _work_through(chosen, UNENDED, _recorded(chosen, "cancel", decision), told)


def discard(chosen: Chosen, decision: Decision, told: Told = lambda _: None) -> Done:
    """Delete these messages for good where they are dead or cancelled, in batches; counts: `discarded`."""
    return _work_through(chosen, GIVEN_UP, _recorded(chosen, "discard", decision), told)


def work_on(rows: Iterable[Row], of: Chosen, action: str, decision: Decision, told: Told) -> Done:
    """Redrive, cancel or discard these rows `of` those that a person means, in batches."""
    batches = Batches(transaction, "message", _recorded(of, action, decision), told=told)
    batches.take(rows)
    return batches.done


def act(conn: Connection, action: str, message_id: str, decision: Decision) -> None:
    """Redrive, cancel or discard one message; two clicks on one form do it once.

    Raises:
        Refused: it is no longer as the form showed it.
    """
    if record_once(conn, decision, action, message_id) and not any(WORK[action](conn, [message_id], decision).values()):
        raise Refused("Nothing was done: the message is no longer as the page showed it.")


def give_up(actor: str, decision: Decision) -> int:
    """Make dead letters of what waits for an actor, or a key, that no worker has; returns how many."""
    total = 0
    while True:
        with transaction() as conn:
            count = int(queries.messages.give_up_waiting(conn, actor=actor, limit=GIVEN_UP_AT_ONCE))
            if not count:
                return total
            record(conn, decision, "give up", actor, count)
        total += count


def _redrive(conn: Connection, ids: list[str], _decision: Decision) -> dict[str, int]:
    return {"redriven": queries.messages.redrive(conn, ids=ids)}


def _cancel(conn: Connection, ids: list[str], decision: Decision) -> dict[str, int]:
    cancelled, asked = queries.cancellations.cancel(conn, ids=ids, who=decision.who, reason=decision.reason.strip())
    queries.deliveries.close_cancelled(conn, ids=ids)
    return {"cancelled": cancelled, "asked": asked}


def _discard(conn: Connection, ids: list[str], _decision: Decision) -> dict[str, int]:
    return {"discarded": queries.cancellations.discard(conn, ids=ids)}


WORK = {"redrive": _redrive, "cancel": _cancel, "discard": _discard}


def _recorded(chosen: Chosen, action: str, decision: Decision) -> Work:
    """The work of an action, each batch of it with a row in the operators' log."""

    def recorded(conn: Connection, ids: list[str]) -> Mapping[str, int]:
        counts = WORK[action](conn, ids, decision)
        if any(counts.values()):
            record(conn, decision, action, str(chosen), sum(counts.values()))
        return counts

    return recorded


def _work_through(chosen: Chosen, states: Sequence[str], work: Work, told: Told) -> Done:
    if chosen.which is None:
        batches = Batches(transaction, "message", work, told=told)
        batches.take(map(Named, chosen.ids))
        return batches.done
    done = Done()
    for which in chosen.filters(states):
        page = partial(queries.messages.page_found, filter=which.json())
        done.add(work_through(transaction, "message", page, work, told=told))
    return done
