"""The history of the jobs' runs: what was started, what it did, or why it failed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import psycopg2

from db import clock, queries
from db.connection import Connection
from db.database import transaction
from db.text import storable
from errors import InvalidMessage, RetryableError
from log import EventLogger

LEFT_ALONE = "left to the old system, which is in charge"
events = EventLogger(__name__)


class Run(NamedTuple):
    """One attempt at a slot."""

    job: str
    slot: datetime
    attempt: int


def run_slot(job: str, slot: str, work: Callable[[datetime], str]) -> None:
    """Run `work`, which commits by itself whatever is done, for a slot; how it ended is noted.

    No transaction of the run's idles meanwhile. What two attempts do at the same time, each row's own transaction sorts
    out.

    Raises:
        InvalidMessage: `slot` is not an ISO 8601 time with its zone.
        RetryableError: another attempt at the slot has begun since, and tells how it ends.
    """
    at = _moment(slot)
    with transaction() as conn:
        attempt = queries.jobs.start_slot(conn, job=job, slot=at)
        now, in_charge = clock.now(conn), queries.takeover.in_charge(conn)
    if attempt is None:
        events.info("slot_done_before", job=job, slot=slot)
        return
    run = Run(job, at, attempt)
    try:
        outcome = work(now) if in_charge else LEFT_ALONE
        with transaction() as conn:
            _finish(conn, run, "succeeded", outcome)
    except BaseException as error:  # Dramatiq's time limit and shutdown are no Exceptions
        with suppress(RetryableError, psycopg2.Error), transaction() as conn:  # raised is what came first
            _finish(conn, run, "failed", _summary(error))
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


def _finish(conn: Connection, run: Run, state: str, outcome: str) -> None:
    if not queries.jobs.finish_slot(conn, **run._asdict(), state=state, outcome=outcome):
        raise RetryableError(
            f"Another attempt at {run.slot} of {run.job} has begun: attempt {run.attempt} says nothing"
        )


def _summary(error: BaseException) -> str:
    """The error's kind and first line: the lines after it may quote a person's data."""
    return storable(": ".join([type(error).__name__, *str(error).splitlines()[:1]]))
