"""What a person decides about many messages at once: worked through step by step as a page shows it, until stopped."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from psycopg2.extras import Json

from db import clock, queries
from db.batches import Done
from db.connection import Connection
from db.database import transaction
from desk import control, messages
from desk.control import Chosen
from desk.decision import Decision, record
from desk.messages import Filter
from desk.wanted import Wanted
from errors import Refused

ACTS: dict[str, Callable[[Chosen, Decision, control.Told], Done]] = {
    "redrive": control.redrive,
    "cancel": control.cancel,
    "discard": control.discard,
}
STATES = {"redrive": control.DEAD, "cancel": control.UNENDED, "discard": control.GIVEN_UP}
STEP_SECONDS = 2.0
LEASE = timedelta(seconds=30)  # after which a step is taken to have died


class Enough(Exception):  # noqa: N818 - no error: the step has had its time
    """A step ends here; the next one goes on."""


@dataclass(frozen=True)
class Bulk:
    """An action about all messages that a filter finds."""

    action: str
    wanted: Wanted

    def __post_init__(self) -> None:
        if self.action not in ACTS or (self.wanted.state and self.wanted.state not in STATES[self.action]):
            raise Refused("Messages in this state cannot be treated so: choose another state, or any.")

    def filters(self, conn: Connection) -> list[Filter]:
        """The filter in each state that the action is for."""
        return list(Chosen(which=self.wanted.filter(conn)).filters(STATES[self.action]))

    def count(self, conn: Connection) -> int:
        return sum(messages.count(conn, each) for each in self.filters(conn))

    def sample(self, conn: Connection, rows: int) -> list[dict[str, Any]]:
        """Some of them, in each state the last changed first."""
        return [row for each in self.filters(conn) for row in messages.find(conn, each, rows)][:rows]


def begin(conn: Connection, id_: str, bulk: Bulk, decision: Decision) -> None:
    """Decide it, of what has come so far; by the id that the form had, two clicks are one decision.

    Raises:
        Refused: there is no such message.
    """
    now = clock.now(conn).isoformat()
    bulk = replace(bulk, wanted=replace(bulk.wanted, before=bulk.wanted.before or now))
    total = bulk.count(conn)
    said, reason = Json(bulk.wanted.said()), decision.reason.strip()
    begun = queries.operators.begin_bulk(
        conn, id=id_, action=bulk.action, wanted=said, total=total, who=decision.who, reason=reason
    )
    if begun and not total:
        raise Refused("There is no such message any more: nothing was done.")


def step(id_: str) -> None:
    """Work on it for two seconds, unless it has ended or another step does."""
    with transaction() as conn:
        if not queries.operators.take_bulk(conn, id=id_, span=LEASE):
            return
        row = queries.operators.bulk(conn, id=id_)
        try:
            chosen = Chosen(which=Wanted.kept(row.wanted).filter(conn))
        except Refused:  # of its kind of failure nothing is left
            queries.operators.end_bulk(conn, id=id_, stopped_by=None)
            return
    deadline = time.monotonic() + STEP_SECONDS
    try:
        done = ACTS[row.action](
            chosen, Decision(row.who, "page", row.reason), lambda rows: _advance(id_, rows, deadline)
        )
    except Enough:
        with transaction() as conn:
            queries.operators.leave_bulk(conn, id=id_)
        return
    with transaction() as conn:
        queries.operators.advance_bulk(conn, id=id_, rows=0, skipped=len(done.skipped), span=LEASE)
        queries.operators.end_bulk(conn, id=id_, stopped_by=None)


def stop(conn: Connection, id_: str, decision: Decision) -> None:
    """Leave the rest as it is."""
    if queries.operators.end_bulk(conn, id=id_, stopped_by=decision.who):
        record(conn, decision, "stop bulk action", id_)


def _advance(id_: str, rows: int, deadline: float) -> None:
    with transaction() as conn:
        goes_on = queries.operators.advance_bulk(conn, id=id_, rows=rows, skipped=0, span=LEASE)
    if not goes_on or time.monotonic() > deadline:
        raise Enough
