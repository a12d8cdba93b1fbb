"""Whether jobs are planned in time, and their runs end."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import actors  # noqa: F401 - declares which queue each actor has
import settings
from broker import broker
from checks.finding import Finding, moment
from checks.processes import SILENCE_SECONDS
from db import clock, queries
from db.connection import Connection
from domain.slots import INSTANT, is_ahead, is_schedule, next_slot
from translations import N_
from zones import zone_or

LATE = timedelta(minutes=10)
RUN_LATE = timedelta(minutes=20)  # a run of ours takes ten at most, and may be tried again
LOOKED_BACK = timedelta(days=1)


def planning(conn: Connection) -> Iterator[Finding]:
    """Jobs whose slots pass and get no row."""
    now, late = clock.now(conn), False
    for job in queries.jobs.list_jobs(conn):
        if job.paused or not is_late(job.schedule, job.time_zone, job.planned_until, now):
            continue
        late = True
        yield Finding(
            "note",
            N_("Jobs that nobody plans: %(job)s"),
            N_("Start the Procfile's scheduler, or `balansity up`."),
            check="jobs-unplanned",
            subject=job.name,
            since=job.planned_until,
            facts={"job": job.name},
            calls=_has_scheduler(conn),  # else that is told, and not of each job what follows from it
        )
    if not late:
        yield Finding("good", N_("Jobs that nobody plans: none"), check="jobs-unplanned")


def running(conn: Connection) -> Iterator[Finding]:
    """Runs that were enqueued and do not end; those of a paused queue wait for a person."""
    now, late = clock.now(conn), False
    paused = {row.queue for row in queries.pauses.current(conn)}
    for row in queries.checks.late_slots(conn, before=now - RUN_LATE, since=now - LOOKED_BACK):
        if row.actor in broker.actors and broker.actors[row.actor].queue_name in paused:
            continue
        late = True
        yield Finding(
            "note",
            N_("Job %(job)s does not end: its run of %(slot)s is still open."),
            N_("See what runs (`balansity running`) and what the job did (`balansity jobs history %(job)s`)."),
            check="slots-late",
            subject=row.job,
            since=row.slot,
            facts={"job": row.job, "slot": row.slot},
            calls=_has_worker(conn),
        )
    if not late:
        yield Finding("good", N_("Runs of jobs that do not end: none"), check="slots-late")


def in_time(conn: Connection) -> Finding:
    now = clock.now(conn)
    ahead = [
        f"{job.name} until {moment(job.planned_until)}"
        for job in queries.jobs.list_jobs(conn)
        if not job.paused and is_ahead(job.planned_until, now)
    ]
    if ahead:
        remedy = "The server's clock was ahead, or was set back: the scheduler makes up for what was skipped then."
        return Finding("note", f"Jobs planned ahead of the clock: {', '.join(ahead)}", remedy)
    return Finding("good", "Jobs planned ahead of the clock: none")


def is_late(schedule: str, zone_name: str, planned_until: datetime, now: datetime) -> bool:
    """Whether a slot after the last planned one passed a while ago; nobody plans what is no schedule."""
    if not is_schedule(schedule):
        return True
    return next_slot(schedule, zone_or(zone_name, settings.current().time_zone), planned_until + INSTANT) < now - LATE


def _has_scheduler(conn: Connection) -> bool:
    return bool(queries.checks.count_heard(conn, seconds=SILENCE_SECONDS).schedulers)


def _has_worker(conn: Connection) -> bool:
    return bool(queries.checks.count_heard(conn, seconds=SILENCE_SECONDS).workers)
