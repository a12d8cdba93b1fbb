"""What the schedule is going to do in a period, without doing it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import settings
from db import queries
from db.connection import Connection
from domain.plan import Happening, at_slots
from domain.slots import INSTANT, NO_SLOTS, count_slots, is_schedule, next_slot
from zones import zone_or

REMINDERS = "send-appointment-reminders"


@dataclass(frozen=True)
class Runs:
    """How often a job is going to run; nothing of a paused one."""

    job: str
    runs: int
    first: datetime | None
    last: datetime | None
    paused: bool


class Due(NamedTuple):
    """What a job is asked for: rows that are due in a time, and how many at most; it acts on them in slots of its."""

    start: datetime
    end: datetime
    schedule: str
    zone: ZoneInfo
    most: int | None
    keeps_its_time: bool  # what is sent ahead, to leave at its moment


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
    return first_happenings(conn, now, start, end, most=None)[0]


def first_happenings(
    conn: Connection, now: datetime, start: datetime, end: datetime, *, most: int | None
) -> tuple[list[Happening], bool]:
    """The same of the `most` of each kind that are due first from now on, and whether there are more."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)  # times of one zone compare at a tenth of the price
    found, is_cut = [], False
    for kind, due in _by_kind(conn, min(now, start), end, most):
        is_cut |= len(kind) == most
        in_slots = kind if due.keeps_its_time else at_slots(kind, due.start, due.schedule, due.zone)
        found += [each for each in in_slots if start <= each.at <= end]
    return sorted(found), is_cut


def _by_kind(
    conn: Connection, start: datetime, end: datetime, most: int | None
) -> Iterator[tuple[list[Happening], Due]]:
    """Everything that the jobs that are not paused would do in slots of theirs that are not planned yet.

    A `start` after the present would overlook what happens before it, and so does not happen again.
    """
    planners: dict[str, Callable[[Connection, Due], list[Happening]]] = {
        REMINDERS: _reminders,
        "update-appointment-statuses": _status_changes,
        "cleanup-old-assessments": _abandonments,
        "remove-old-reports": _removals,
        "purge-messages": _purges,
    }
    for job in queries.jobs.list_jobs(conn):
        if job.name in planners and not job.paused and is_schedule(job.schedule):
            begin = max(start, job.planned_until + INSTANT)
            zone = zone_or(job.time_zone, settings.current().time_zone)
            due = Due(begin, end, job.schedule, zone, most, keeps_its_time=job.name == REMINDERS)
            yield planners[job.name](conn, due), due


def _reminders(conn: Connection, due: Due) -> list[Happening]:
    """Each leaves at its own moment; one whose moment has passed leaves with the next run."""
    soonest = next_slot(due.schedule, due.zone, due.start)
    return [
        Happening(row.due_at, f"reminder {row.kind}", f"appointment {row.appointment_id}")
        for row in queries.appointments.reminders_between(conn, now=soonest, until=due.end, most=due.most)
    ]


def _status_changes(conn: Connection, due: Due) -> list[Happening]:
    rows = queries.appointments.status_changes_until(conn, until=due.end, most=due.most)
    return [Happening(row.due_at, row.status, f"appointment {row.appointment_id}") for row in rows]


def _abandonments(conn: Connection, due: Due) -> list[Happening]:
    rows = queries.appointments.abandonments_until(conn, until=due.end, most=due.most)
    return [Happening(row.due_at, "abandoned", f"assessment {row.assessment_id}") for row in rows]


def _removals(conn: Connection, due: Due) -> list[Happening]:
    retention = timedelta(days=settings.current().report_retention_days)
    rows = queries.reports.removals_until(conn, retention=retention, until=due.end, most=due.most)
    return [Happening(row.due_at, "removed", f"report {row.id}") for row in rows]


def _purges(conn: Connection, due: Due) -> list[Happening]:
    """How many of the messages that are finished or dead now leave in which slot."""
    counts: Counter[datetime] = Counter()
    slot, kept = due.start - INSTANT, settings.current()
    done, dead = (timedelta(days=days) for days in (kept.message_retention_days, kept.dead_letter_retention_days))
    for row in queries.messages.purges_until(conn, done=done, dead=dead, until=due.end):
        if (at := max(row.due_at, due.start)) > slot:  # they come in the order of time
            slot = next_slot(due.schedule, due.zone, at)
        counts[slot] += row.messages
    return [Happening(at, "purged", f"{count} messages") for at, count in counts.items()]
