"""What a person decides about many messages at once: worked through step by step as a page shows it, until stopped."""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from psycopg2.extras import Json

from db import batches, clock, queries
from db.connection import Connection
from db.database import transaction
from desk import control, messages
from desk.control import Chosen
from desk.decision import Decision, record
from desk.messages import Filter
from desk.wanted import Wanted
from errors import Refused

STATES = {"redrive": control.DEAD, "cancel": control.UNENDED, "discard": control.GIVEN_UP}
STEP_SECONDS = 2.0
LEASE = timedelta(seconds=30)  # after which a step is taken to have died


class Stopped(Exception):  # noqa: N818 - no error: a person wants it so
    """What is left stays as it is."""


@dataclass(frozen=True)
class Bulk:
    """An action about all messages that a filter finds."""

    action: str
    wanted: Wanted

    def __post_init__(self) -> None:
        if self.action not in STATES or (self.wanted.state and self.wanted.state not in STATES[self.action]):
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


def step(id_: str) -> bool:
    """Work on it for two seconds, unless it has ended or another step does; whether this one did."""
    with transaction() as conn:
        if not queries.operators.take_bulk(conn, id=id_, span=LEASE):
            return False
    deadline = time.monotonic() + STEP_SECONDS
    with suppress(Stopped):
        while _goes_on(id_):
            if time.monotonic() > deadline:
                break
        with transaction() as conn:
            queries.operators.leave_bulk(conn, id=id_)
    return True


def stop(conn: Connection, id_: str, decision: Decision) -> None:
    """Leave the rest as it is."""
    if queries.operators.end_bulk(conn, id=id_, stopped_by=decision.who):
        record(conn, decision, "stop bulk action", id_)


def _goes_on(id_: str) -> bool:
    """Work on the messages that follow, or end where none does; whether it is to go on."""
    with transaction() as conn:
        row = queries.operators.bulk(conn, id=id_)
        if row.ended_at:
            return False
        rows, which = _following(conn, row)
    if not rows:
        return _turn(row) and _goes_on(id_)
    decision = Decision(row.who, "page", row.reason)
    done = control.work_on(rows, Chosen(which=which), row.action, decision, lambda count: _advance(id_, count))
    with transaction() as conn:
        last = rows[-1]
        queries.operators.reach_in_bulk(
            conn, id=id_, state=_state(row), at=last.at, after=last.key, skipped=len(done.skipped)
        )
    return True


def _following(conn: Connection, row: Any) -> tuple[list[Any], Filter | None]:
    """The messages behind where it is, and the filter that finds them."""
    try:
        which = Wanted.kept(row.wanted).filter(conn)
    except Refused:  # of its kind of failure nothing is left
        return [], None
    in_state = replace(which, state=_state(row)).json()
    return list(
        queries.messages.page_found(conn, filter=in_state, at=row.at, after=row.after, rows=batches.ROWS)
    ), which


def _turn(row: Any) -> bool:
    """On to the state that follows, or to its end; whether it goes on."""
    states = _states(row)
    following = states[states.index(_state(row)) + 1 :]
    with transaction() as conn:
        if following:
            queries.operators.reach_in_bulk(conn, id=row.id, state=following[0], at=None, after=None, skipped=0)
        else:
            queries.operators.end_bulk(conn, id=row.id, stopped_by=None)
    return bool(following)


def _states(row: Any) -> tuple[str, ...]:
    said = row.wanted["state"]
    return (said,) if said else STATES[row.action]


def _state(row: Any) -> str:
    """The state in whose messages it is."""
    return row.state or _states(row)[0]


def _advance(id_: str, rows: int) -> None:
    with transaction() as conn:
        if not queries.operators.advance_bulk(conn, id=id_, rows=rows, span=LEASE):
            raise Stopped
