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

events = EventLogger(__name__)


class Run(NamedTuple):
    """One attempt at a slot."""

    job: str
    slot: datetime
    attempt: int


def run_slot(job: str, slot: str, work: Callable[[Connection, datetime], str]) -> None:
    """Run `work` for a slot; what it changes and its success commit together, a failure is noted and raised.

    Raises:
        InvalidMessage: `slot` is not an ISO 8601 time with its zone.
        RetryableError: another attempt at the slot has begun since; what this one did is undone.
    """

    def whole(run: Run) -> str:
        with transaction() as conn:
            outcome = work(conn, clock.now(conn))
            _finish(conn, run, "succeeded", outcome)
        return outcome

    _run(job, slot, whole)


def run_slot_in_parts(job: str, slot: str, work: Callable[[datetime], str]) -> None:
    """Run `work`, which commits its parts by itself, for a slot: no transaction of the run's idles meanwhile.

    Raises:
        InvalidMessage, RetryableError: as `run_slot`, but what was done stays done.
    """

    def parts(run: Run) -> str:
        with transaction() as conn:
            now = clock.now(conn)
        outcome = work(now)
        with transaction() as conn:
            _finish(conn, run, "succeeded", outcome)
        return outcome

    _run(job, slot, parts)


def _run(job: str, slot: str, attempted: Callable[[Run], str]) -> None:
    at = _moment(slot)
    with transaction() as conn:
        attempt = queries.jobs.start_slot(conn, job=job, slot=at)
    if attempt is None:
        events.info("slot_done_before", job=job, slot=slot)
        return
    run = Run(job, at, attempt)
    try:
        outcome = attempted(run)
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
        raise RetryableError(f"Another attempt at {run.slot} of {run.job} has begun: attempt {run.attempt} is undone")


def _summary(error: BaseException) -> str:
    """The error's kind and first line: the lines after it may quote a person's data."""
    return storable(": ".join([type(error).__name__, *str(error).splitlines()[:1]]))
