"""The schedule: a table of jobs, and the process that enqueues each of their slots exactly once.

APScheduler ticks at every slot; a look every few seconds is the safety net (a clock set, a laptop that slept, a server
that was away). Both do the same: give every slot that has come since `planned_until` its row and its message in one
transaction. Which have come, the database's clock says. Any number of schedulers may run; none is a leader.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from apscheduler.schedulers.background import BackgroundScheduler
from dramatiq import Actor

import log
import settings
from actors.appointments import cleanup_old_assessments, send_appointment_reminders, update_appointment_statuses
from actors.emails import watch_mail_events
from actors.messages import keep_minutes, purge_messages
from actors.payments import verify_open_payments
from actors.reports import remove_old_reports
from alarms.lookout import Lookout
from broker import broker
from db import clock, queries
from db.connection import Connection
from db.database import single_statements, transaction
from db.trouble import explained, is_lost
from domain.slots import (
    Missed,
    PlannedJob,
    Slot,
    check_schedule,
    cron_trigger,
    has_due,
    is_ahead,
    is_schedule,
    slots_that_came,
)
from errors import Refused
from mail import restore
from messaging.judge import BEATS_IN_SILENCE
from presence import Presence
from zones import zone_or

SAFETY_NET_SECONDS = 5
SILENCE_SECONDS = BEATS_IN_SILENCE * SAFETY_NET_SECONDS  # after which a scheduler is dead to the others
TICK_SECOND = 1  # of a slot's minute: the database's clock may be a little behind ours

events = log.EventLogger("scheduler")  # also where the module is run as a program
troubles: dict[str, tuple[str, float]] = {}  # by what fails: what was said of it, and since when, monotonic
DATABASE = "database"  # fails with all of its steps


@dataclass(frozen=True)
class Job:
    """An entry of the schedule; weekdays in `schedule` are named, times are the clinic's."""

    name: str
    schedule: str
    missed: Missed
    most_lateness: timedelta
    actor: Actor[..., Any]

    def __post_init__(self) -> None:
        try:
            check_schedule(self.schedule)
        except ValueError as error:
            raise ValueError(f"Job {self.name}: {error}") from None


JOBS = (
    Job("update-appointment-statuses", "*/5 * * * *", Missed.ONCE, timedelta(hours=1), update_appointment_statuses),
    Job("cleanup-old-assessments", "0 3 * * *", Missed.ONCE, timedelta(hours=23), cleanup_old_assessments),
    Job("send-appointment-reminders", "* * * * *", Missed.ONCE, timedelta(hours=1), send_appointment_reminders),
    Job("verify-open-payments", "* * * * *", Missed.ONCE, timedelta(hours=1), verify_open_payments),
    Job("remove-old-reports", "30 3 * * *", Missed.ONCE, timedelta(hours=23), remove_old_reports),
    Job("purge-messages", "15 * * * *", Missed.ONCE, timedelta(hours=1), purge_messages),
    Job("watch-mail-events", "* * * * *", Missed.ONCE, timedelta(hours=1), watch_mail_events),
    Job("keep-minutes", "* * * * *", Missed.ONCE, timedelta(hours=1), keep_minutes),
)


def main() -> None:
    """Run the scheduler until SIGTERM or Ctrl-C."""
    log.set_up(settings.current().log_level)
    stop: SimpleQueue[int] = SimpleQueue()  # its put may interrupt its own get, so a signal handler may use it
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.put(received))
    run(stop)


def run(stop: SimpleQueue[int], jobs: Sequence[Job] = JOBS) -> None:
    """Keep the schedule until something is put on `stop`."""
    presence, lookout = Presence(SILENCE_SECONDS), Lookout()
    lookout.start()  # also while there is no database to begin with
    try:
        _keep(stop, jobs, presence)
    finally:
        lookout.stop()


def _keep(stop: SimpleQueue[int], jobs: Sequence[Job], presence: Presence) -> None:
    while not _run_step(introduce, jobs):
        if _wait_for(stop):
            return
    clockwork = BackgroundScheduler(timezone=UTC)
    for job in jobs:
        trigger = cron_trigger(job.schedule, settings.current().time_zone, TICK_SECOND)
        clockwork.add_job(_run_step, trigger, [enqueue_due, [job]], id=job.name, coalesce=True, misfire_grace_time=None)
    clockwork.start()
    events.info("scheduler_started", jobs=len(jobs))
    _look(presence, jobs)
    while not _wait_for(stop):
        _look(presence, jobs)
    clockwork.shutdown()
    _run_step(presence.end, jobs)
    events.info("scheduler_stopped")


def _wait_for(stop: SimpleQueue[int]) -> bool:
    """Wait until the next look is due; whether something was put on `stop` before."""
    try:
        stop.get(timeout=SAFETY_NET_SECONDS)
    except Empty:
        return False
    return True


def _look(presence: Presence, jobs: Sequence[Job]) -> None:
    """Notice a restore, and enqueue what is due; a job that cannot be enqueued does not hold up the others."""
    _run_step(presence.beat, jobs)
    restore.look()
    for job in jobs:
        _run_step(enqueue_due, [job])


def _run_step(step: Callable[[datetime, Sequence[Job]], object], jobs: Sequence[Job]) -> bool:
    """Take a step by the database's clock; whether it succeeded."""
    name = " ".join([step.__name__, *(job.name for job in jobs if len(jobs) == 1)])
    try:
        with single_statements() as conn:
            now = clock.now(conn)
        step(now, jobs)
    except psycopg2.Error as error:
        if is_lost(error):
            if _is_news(DATABASE, ""):  # a server that goes and comes says another thing each time
                events.error("database_lost", error=explained(error))
        elif _is_news(name, explained(error)):
            events.error("scheduler_step_failed", step=name, error=explained(error))
        return False
    except Exception as error:  # noqa: BLE001 - the loop goes on; what was not enqueued is still due at the next look
        if _is_news(name, type(error).__name__):
            events.error("scheduler_step_failed", step=name, error=type(error).__name__, with_traceback=True)
        return False
    if lost := troubles.pop(DATABASE, None):
        events.info("database_regained", seconds=round(time.monotonic() - lost[1]))
    if failed := troubles.pop(name, None):
        events.info("scheduler_step_succeeded", step=name, seconds=round(time.monotonic() - failed[1]))
    return True


def _is_news(what: str, why: str) -> bool:
    """Whether a trouble has begun, or become another one: it is told once, and once when it is over."""
    said, since = troubles.get(what, (None, time.monotonic()))
    troubles[what] = (why, since)
    return said != why


def publish(conn: Connection, jobs: Sequence[Job] = JOBS, now: datetime | None = None) -> None:
    """Make this table of jobs the one that counts, in the caller's transaction; a changed schedule counts from now on.

    Jobs that it does not name are retired: they plan nothing, keep their history, and begin anew when they come back.
    """
    now = now or clock.now(conn)
    queries.jobs.limit_idling(conn)
    for job in sorted(jobs, key=lambda job: job.name):  # two that publish at once do not wait for each other
        row = queries.jobs.hold_job(conn, name=job.name)
        if row is None:
            queries.jobs.add_job(conn, **_described(job, now))
            continue
        if (row.schedule, row.time_zone) != (job.schedule, settings.current().time_zone.key):
            if is_schedule(row.schedule):  # else a person wrote it, and it had no slots
                _settle(conn, job, row, now)
            queries.jobs.change_schedule(conn, **_described(job, now))
            events.info("schedule_changed", job=job.name, old=row.schedule, new=job.schedule)
        queries.jobs.change_actor(conn, name=job.name, actor=job.actor.actor_name)
    if retired := queries.jobs.retire_jobs(conn, names=[job.name for job in jobs]):
        events.info("jobs_retired", count=retired)


def introduce(now: datetime, jobs: Sequence[Job] = JOBS) -> None:
    """Add the jobs that nobody has published or retired; of the others the published table knows better."""
    with transaction() as conn:
        for job in jobs:
            queries.jobs.introduce_job(conn, **_described(job, now))


def _described(job: Job, now: datetime) -> dict[str, Any]:
    zone = settings.current().time_zone.key
    return {
        "name": job.name,
        "schedule": job.schedule,
        "time_zone": zone,
        "actor": job.actor.actor_name,
        "now": now,
    }


def enqueue_due(now: datetime, jobs: Sequence[Job] = JOBS) -> int:
    """Enqueue what is due, each slot once, however many schedulers do so; returns how many slots were enqueued."""
    with transaction() as conn:
        rows: dict[str, PlannedJob] = {row.name: row for row in queries.jobs.list_jobs(conn)}
    count = 0
    for job in jobs:
        row = rows.get(job.name)
        if (
            row
            and _is_ours(job, row)
            and not row.paused
            and (has_due(row, _zone(row), now) or is_ahead(row.planned_until, now))
        ):
            with _held(job.name) as (conn, held):
                if held and _is_ours(job, held) and not held.paused:
                    count += _settle(conn, job, held, now)
    return count


def _is_ours(job: Job, row: PlannedJob) -> bool:
    """Whether the published job is done by the actor that this version would send it to."""
    return row.actor in {None, job.actor.actor_name}


def _zone(row: PlannedJob) -> ZoneInfo:
    return zone_or(row.time_zone, settings.current().time_zone)


def _settle(conn: Connection, job: Job, row: PlannedJob, now: datetime) -> int:
    """Settle every slot that has come; returns how many run."""
    if is_ahead(row.planned_until, now) and queries.jobs.go_back(conn, name=job.name, now=now):
        events.warning("clock_was_ahead", job=job.name, planned_until=row.planned_until.isoformat())
    slots = slots_that_came(row, _zone(row), now, job.missed, job.most_lateness)
    if not slots:
        return 0
    count = _enqueue(conn, job, slots, now)
    queries.jobs.set_planned_until(conn, name=job.name, until=now)
    events.info("slots_enqueued", job=job.name, run=count, skipped=len(slots) - count)
    return count


def _enqueue(conn: Connection, job: Job, slots: Sequence[Slot], now: datetime) -> int:
    """Give slots their rows, and those that run their messages; returns how many of these are new."""
    messages = [None if slot.skipped else job.actor.message(slot=slot.at.isoformat()) for slot in slots]
    added = queries.jobs.add_slots(
        conn,
        job=job.name,
        slots=[slot.at for slot in slots],
        reasons=[slot.skipped for slot in slots],
        messages=[message and message.message_id for message in messages],
        now=now,
    )
    new = {row.message_id for row in added}
    to_run = [message for message in messages if message and message.message_id in new]
    with broker.transaction(conn):
        broker.enqueue_many(to_run)
    return len(to_run)


@contextmanager
def _held(name: str) -> Iterator[tuple[Connection, PlannedJob | None]]:
    """A transaction that holds the job's row; no row if there is none, or if another scheduler holds it."""
    with transaction() as conn:
        queries.jobs.limit_idling(conn)
        yield conn, queries.jobs.take_job(conn, name=name)


def run_now(conn: Connection, name: str, now: datetime) -> None:
    """Run a job once, outside its schedule, in the caller's transaction."""
    job, _row = _hold(conn, name)
    _enqueue(conn, job, [Slot(now)], now)


def pause(conn: Connection, name: str, now: datetime, who: str | None = None, reason: str | None = None) -> bool:
    """Stop a job, as somebody says who gives a reason; what is due already still runs. False where it is paused."""
    job, row = _hold(conn, name)
    if row is None or row.paused:
        return False
    _settle(conn, job, row, now)
    queries.jobs.set_paused(conn, name=name, paused=True, who=who, reason=reason)
    return True


def resume(conn: Connection, name: str, now: datetime) -> bool:
    """Let a paused job go on from now; what passed meanwhile is noted as skipped. False where it was not paused."""
    job, row = _hold(conn, name)
    if row is None or not row.paused:
        return False
    _settle(conn, job, row, now)
    queries.jobs.set_paused(conn, name=name, paused=False, who=None, reason=None)
    return True


def _hold(conn: Connection, name: str) -> tuple[Job, PlannedJob | None]:
    """The job, and its row, which nobody else settles before the end of the caller's transaction."""
    job = _job(name)
    queries.jobs.limit_idling(conn)
    return job, queries.jobs.hold_job(conn, name=name)


def _job(name: str) -> Job:
    for job in JOBS:
        if job.name == name:
            return job
    raise Refused(
        "There is no job %(name)r; there are: %(names)s.", name=name, names=", ".join(job.name for job in JOBS)
    )


if __name__ == "__main__":
    main()
