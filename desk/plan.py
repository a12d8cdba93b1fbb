"""What the schedule is going to do in a period, without doing it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import settings
from actors.messages import DEAD, DONE
from db import queries
from db.connection import Connection
from domain.plan import Happening, at_slots
from domain.slots import INSTANT, NO_SLOTS, count_slots, is_schedule, next_slot
from zones import zone_or


@dataclass(frozen=True)
class Runs:
    """How often a job is going to run; nothing of a paused one."""

    job: str
    runs: int
    first: datetime | None
    last: datetime | None
    paused: bool


def runs_between(conn: Connection, start: datetime, end: datetime) -> list[Runs]:
    """How often each job is going to run from one moment to before another."""
    found = []
    for job in queries.jobs.list_jobs(conn):
        zone = zone_or(job.time_zone, settings.current().time_zone)
        comes = not job.paused and is_schedule(job.schedule)
        slots = count_slots(job.schedule, zone, start - INSTANT, end - INSTANT) if comes else NO_SLOTS
        found.append(Runs(job.name, *slots, job.paused))
    return found


def happenings(conn: Connection, now: datetime, start: datetime, end: datetime) -> list[Happening]:
    """What happens to rows in a period; what does before it, happens no second time in it."""
    return [each for each in happenings_between(conn, min(now, start), end) if each.at >= start]


def happenings_between(conn: Connection, start: datetime, end: datetime) -> list[Happening]:
    """Everything that the jobs that are not paused would do in slots of theirs that are not planned yet.

    A `start` after the present would overlook what happens before it, and so does not happen again.
    """
    planners = {
        "send-appointment-reminders": _reminders,
        "update-appointment-statuses": _status_changes,
        "cleanup-old-assessments": _abandonments,
        "remove-old-reports": _removals,
        "purge-messages": _purges,
    }
    happenings: list[Happening] = []
    for job in queries.jobs.list_jobs(conn):
        if job.name in planners and not job.paused and is_schedule(job.schedule):
            begin = max(start, job.planned_until + INSTANT)
            zone = zone_or(job.time_zone, settings.current().time_zone)
            happenings += planners[job.name](conn, begin, end, job.schedule, zone)
    return sorted(each for each in happenings if each.at <= end)


def _reminders(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Happening]:
    """Each leaves at its own moment; one whose moment has passed leaves with the next run."""
    soonest = next_slot(schedule, zone, start)
    return [
        Happening(due.due_at, f"reminder {due.kind}", f"appointment {due.appointment_id}")
        for due in queries.appointments.reminders_between(conn, now=soonest, until=end)
    ]


def _status_changes(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Happening]:
    due = queries.appointments.status_changes_until(conn, until=end)
    happenings = [Happening(row.due_at, row.status, f"appointment {row.appointment_id}") for row in due]
    return at_slots(happenings, start, schedule, zone)


def _abandonments(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Happening]:
    due = queries.appointments.abandonments_until(conn, until=end)
    happenings = [Happening(row.due_at, "abandoned", f"assessment {row.assessment_id}") for row in due]
    return at_slots(happenings, start, schedule, zone)


def _removals(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Happening]:
    retention = timedelta(days=settings.current().report_retention_days)
    due = queries.reports.removals_until(conn, retention=retention, until=end)
    return at_slots([Happening(row.due_at, "removed", f"report {row.id}") for row in due], start, schedule, zone)


def _purges(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Happening]:
    """How many of the messages that are finished or dead now leave in which slot."""
    counts: Counter[datetime] = Counter()
    slot = start - INSTANT
    for due in queries.messages.purges_until(conn, done=DONE, dead=DEAD, until=end):
        if (at := max(due.due_at, start)) > slot:  # they come in the order of time
            slot = next_slot(schedule, zone, at)
        counts[slot] += due.messages
    return [Happening(at, "purged", f"{count} messages") for at, count in counts.items()]
