"""Doctor's looks at the processes: who lives, what they hold, hear, know and plan."""

from datetime import datetime, timedelta

import settings
from commands.finding import Finding
from commands.output import moment
from db import clock, overview, queries
from db.connection import Connection
from desk import control
from domain.slots import INSTANT, is_ahead, is_schedule, next_slot
from messaging.seal import is_key
from zones import zone_or

LATE = timedelta(minutes=10)
LONGEST_RUN = timedelta(minutes=10)  # Dramatiq's time limit, which no actor of ours raises
GRACE = timedelta(minutes=2)  # for its end to be written


def living(conn: Connection) -> Finding:
    alive = overview.living(conn)
    if not alive.workers:
        remedy = "Start the Procfile's worker, or `balansity up`."
        if not queries.takeover.in_charge(conn):
            return Finding("note", "No worker process lives: none is needed until ours takes over.", remedy)
        return Finding("bad", "No worker process lives: messages wait.", remedy)
    if not alive.schedulers:
        remedy = "Start the Procfile's scheduler, or `balansity up`."
        return Finding(
            "note", f"{len(alive.workers)} worker processes live, and no scheduler: no job is planned.", remedy
        )
    return Finding("good", f"{len(alive.workers)} worker processes live; schedulers: {len(alive.schedulers)}.")


def holding(conn: Connection) -> Finding:
    """What workers repair by themselves every few seconds; where they do not, a person restarts them."""
    if held := queries.doctor.held_for_long(conn, seconds=(LONGEST_RUN + GRACE).total_seconds()):
        remedy = "Restart these processes: others run what they held. Their logs say what they could not write."
        return Finding("bad", f"Messages held for longer than any may run: {held}", remedy)
    return Finding("good", "Messages held for longer than any may run: none")


def hearing(conn: Connection) -> Finding:
    if deaf := queries.doctor.deaf_workers(conn):
        remedy = (
            "A pooler carries no LISTEN in transaction mode: give workers a direct address, or set BROKER_LISTEN=off."
        )
        return Finding("note", f"Workers that hear no doorbell, and look every second: {deaf}", remedy)
    return Finding("good", "Workers that hear no doorbell: none")


def knowing(conn: Connection) -> Finding:
    missing = [each for each in queries.doctor.missing_abilities(conn) if not is_key(each.ability)]
    if not missing:
        return Finding("good", "Messages that no worker can run: none")
    listed = ", ".join(f"{each.ability} ({each.messages} since {moment(each.since)})" for each in missing)
    if all(each.published for each in missing):
        remedy = "Start workers of the published version, on the queues of these."
        return Finding("note", f"Messages wait for workers that have: {listed}", remedy)
    remedy = (
        "Nobody has published all of these: deploy the version that has them (`balansity migrate`), or, where none "
        "will come, `balansity dead --give-up ACTOR` makes dead letters of what waits."
    )
    return Finding("bad", f"Messages wait for workers that have: {listed}", remedy)


def pausing(conn: Connection) -> Finding:
    if paused := control.pauses(conn):
        remedy = "`balansity queues resume NAME` lets one go on at once."
        return Finding("note", "; ".join(map(str, paused)), remedy)
    return Finding("good", "Queues that a person paused: none")


def planning(conn: Connection) -> Finding:
    now = clock.now(conn)
    late = [
        job.name
        for job in queries.jobs.list_jobs(conn)
        if not job.paused and is_late(job.schedule, job.time_zone, job.planned_until, now)
    ]
    if late:
        remedy = "Start the Procfile's scheduler, or `balansity up`."
        return Finding("note", f"Jobs that nobody plans: {', '.join(late)}", remedy)
    return Finding("good", "Jobs that nobody plans: none")


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
