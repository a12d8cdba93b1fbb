"""The history of the jobs' runs: what was started, what it did, or why it failed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import db.queries
from db.connection import transaction
from errors import InvalidMessage
from log import EventLogger

MOST_AHEAD = timedelta(seconds=60)  # by which a scheduler's clock may be ahead of ours and still be believed

jobs = db.queries.load("jobs")
events = EventLogger(__name__)


def run_slot(job: str, slot: str, work: Callable[[Connection, datetime], str]) -> None:
    """Run `work` for a slot; what it changes and its success commit together, a failure is noted and raised.

    Raises:
        InvalidMessage: `slot` is not an ISO 8601 time with its zone.
    """
    at = _moment(slot)
    with transaction() as conn:
        if jobs.start_slot(conn, job=job, slot=at, now=datetime.now(UTC)) is None:
            events.info("slot_done_before", job=job, slot=slot)
            return
    try:
        with transaction() as conn:
            outcome = work(conn, _present(at, datetime.now(UTC)))
            _finish(conn, job, at, "succeeded", outcome)
    except Exception as error:
        with transaction() as conn:
            _finish(conn, job, at, "failed", _summary(error))
        raise
    events.info("slot_finished", job=job, slot=slot, outcome=outcome)


def _moment(slot: str) -> datetime:
    try:
        at = datetime.fromisoformat(slot)
    except (TypeError, ValueError):
        raise InvalidMessage(f"slot {slot!r} must be an ISO 8601 time such as 2026-11-25T03:00:00+00:00") from None
    if at.tzinfo is None:
        raise InvalidMessage(f"slot {slot!r} has no time zone: add +00:00")
    return at


def _present(at: datetime, now: datetime) -> datetime:
    """Now, or the slot where the scheduler's clock is a little ahead: a run at 10:05 acts on what is due then."""
    return min(max(at, now), now + MOST_AHEAD)


def _finish(conn: Connection, job: str, at: datetime, state: str, outcome: str) -> None:
    jobs.finish_slot(conn, job=job, slot=at, state=state, outcome=outcome, now=datetime.now(UTC))


def _summary(error: Exception) -> str:
    """The error's kind and first line: the lines after it may quote a person's data."""
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}"
