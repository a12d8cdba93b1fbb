"""The schedule: a table of jobs, and the process that enqueues each of their slots exactly once.

APScheduler rings at every slot; a look every few seconds is the safety net (a clock set, a laptop that slept, a server
that was away). Both do the same: give every slot that has come since `planned_until` its row and its message in one
transaction. Any number of schedulers may run; none is a leader.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from dramatiq import Actor
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import db.queries
import log
import settings
from actors.appointments import cleanup_old_assessments, send_appointment_reminders, update_appointment_statuses
from actors.messages import purge_messages
from actors.payments import verify_open_payments
from actors.reports import remove_old_reports
from broker import broker
from db.connection import transaction
from domain.slots import Missed, Slot, cron_trigger, decide, slots_between
from errors import BalansityError

SAFETY_NET_SECONDS = 5

queries = db.queries.load("jobs")
events = log.EventLogger(__name__)


@dataclass(frozen=True)
class Job:
    """An entry of the schedule; weekdays in `schedule` are named, times are the clinic's unless it says otherwise."""

    name: str
    schedule: str
    missed: Missed
    most_lateness: timedelta
    actor: Actor[..., Any]
    time_zone: str | None = None

    @property
    def zone_name(self) -> str:
        return self.time_zone or str(settings.current().time_zone)


JOBS = (
    Job("update-appointment-statuses", "*/5 * * * *", Missed.ONCE, timedelta(hours=1), update_appointment_statuses),
    Job("cleanup-old-assessments", "0 3 * * *", Missed.ONCE, timedelta(hours=23), cleanup_old_assessments),
    Job("send-appointment-reminders", "* * * * *", Missed.ONCE, timedelta(hours=1), send_appointment_reminders),
    Job("verify-open-payments", "*/5 * * * *", Missed.ONCE, timedelta(hours=1), verify_open_payments),
    Job("remove-old-reports", "30 3 * * *", Missed.ONCE, timedelta(hours=23), remove_old_reports),
    Job("purge-messages", "15 * * * *", Missed.ONCE, timedelta(hours=1), purge_messages),
)


class Row(NamedTuple):
    """A job as the database knows it."""

    name: str
    schedule: str
    time_zone: str
    paused: bool
    planned_until: datetime

    def due(self, now: datetime) -> list[datetime]:
        return list(slots_between(self.schedule, ZoneInfo(self.time_zone), self.planned_until, now))


def main() -> None:
    """Run the scheduler until SIGTERM or Ctrl-C."""
    log.set_up(settings.current().log_level)
    stop: SimpleQueue[int] = SimpleQueue()  # its put may interrupt its own get, so a signal handler may use it
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.put(received))
    run(stop)


def run(stop: SimpleQueue[int], jobs: Sequence[Job] = JOBS) -> None:
    """Keep the schedule until something is put on `stop`."""
    while not _worked(synchronise, jobs):
        if _stopped(stop):
            return
    bells = BackgroundScheduler(timezone=UTC)
    for job in jobs:
        trigger = cron_trigger(job.schedule, ZoneInfo(job.zone_name))
        bells.add_job(_worked, trigger, [enqueue_due, [job]], id=job.name, coalesce=True, misfire_grace_time=None)
    bells.start()
    events.info("scheduler_started", jobs=len(jobs))
    _look(jobs)
    while not _stopped(stop):
        _look(jobs)
    bells.shutdown()
    events.info("scheduler_stopped")


def _stopped(stop: SimpleQueue[int]) -> bool:
    try:
        stop.get(timeout=SAFETY_NET_SECONDS)
    except Empty:
        return False
    return True


def _look(jobs: Sequence[Job]) -> None:
    """Enqueue what is due; a job that cannot be enqueued does not hold up the others."""
    for job in jobs:
        _worked(enqueue_due, [job])


def _worked(step: Callable[[datetime, Sequence[Job]], object], jobs: Sequence[Job]) -> bool:
    try:
        step(datetime.now(UTC), jobs)
    except Exception as error:  # noqa: BLE001 - the loop goes on; what was not enqueued is still due at the next look
        events.error("scheduler_step_failed", step=step.__name__, error=type(error).__name__, with_traceback=True)
        return False
    return True


def synchronise(now: datetime, jobs: Sequence[Job] = JOBS) -> None:
    """Make the database's rows say what the table of jobs says; a changed schedule counts from now on."""
    for job in jobs:
        with _held(job.name) as (conn, row):
            if row is None:
                queries.add_job(conn, name=job.name, schedule=job.schedule, time_zone=job.zone_name, now=now)
            elif (row.schedule, row.time_zone) != (job.schedule, job.zone_name):
                if not row.paused:
                    _enqueue(conn, job, row, now)
                queries.change_schedule(conn, name=job.name, schedule=job.schedule, time_zone=job.zone_name, now=now)
                events.info("schedule_changed", job=job.name, old=row.schedule, new=job.schedule)


def enqueue_due(now: datetime, jobs: Sequence[Job] = JOBS) -> int:
    """Enqueue what is due, each slot once, however many schedulers do so; returns how many slots were enqueued."""
    with transaction() as conn:
        rows = {row[0]: Row(*row) for row in queries.list_jobs(conn)}
    count = 0
    for job in jobs:
        if job.name in rows and not rows[job.name].paused and rows[job.name].due(now):
            with _held(job.name, wait=False) as (conn, row):
                if row is not None and not row.paused:
                    count += _enqueue(conn, job, row, now)
    return count


def _enqueue(conn: Connection, job: Job, row: Row, now: datetime) -> int:
    slots = decide(row.due(now), now, job.missed, job.most_lateness)
    if not slots:
        return 0
    to_run = _record(conn, job.name, slots, now)
    with broker.transaction(conn):
        for at in to_run:
            job.actor.send_with_options(kwargs={"slot": at.isoformat()})
    queries.set_planned_until(conn, name=job.name, until=slots[-1].at)
    events.info("slots_enqueued", job=job.name, run=len(to_run), skipped=len(slots) - len(to_run))
    return len(to_run)


def _record(conn: Connection, job: str, slots: Sequence[Slot], now: datetime) -> list[datetime]:
    """Give slots their rows; returns those that are to run."""
    added = queries.add_slots(
        conn, job=job, slots=[slot.at for slot in slots], reasons=[slot.skipped for slot in slots], now=now
    )
    return sorted(at for at, runs in added if runs)


@contextmanager
def _held(name: str, *, wait: bool = True) -> Iterator[tuple[Connection, Row | None]]:
    """A transaction that holds the job's row; no row if there is none, or if another scheduler holds it."""
    with transaction() as conn:
        queries.limit_idling(conn)
        row = queries.hold_job(conn, name=name) if wait else queries.take_job(conn, name=name)
        yield conn, row and Row(*row)


def run_now(name: str, now: datetime) -> None:
    """Run a job once, outside its schedule."""
    job = _job(name)
    with _held(name) as (conn, _), broker.transaction(conn):
        for at in _record(conn, name, [Slot(now)], now):
            job.actor.send_with_options(kwargs={"slot": at.isoformat()})


def pause(name: str, now: datetime) -> None:
    """Stop a job; what is due already still runs."""
    job = _job(name)
    with _held(name) as (conn, row):
        if row and not row.paused:
            _enqueue(conn, job, row, now)
            queries.set_paused(conn, name=name, paused=True, now=now)


def resume(name: str, now: datetime) -> None:
    """Let a paused job go on from now; the slots that passed meanwhile are noted as skipped."""
    job = _job(name)
    with _held(name) as (conn, row):
        if row and row.paused:
            _record(conn, job.name, [Slot(at, "paused") for at in row.due(now)], now)
            queries.set_paused(conn, name=name, paused=False, now=now)


def _job(name: str) -> Job:
    for job in JOBS:
        if job.name == name:
            return job
    raise BalansityError(f"There is no job {name!r}; there are: {', '.join(job.name for job in JOBS)}")


if __name__ == "__main__":
    main()
