"""`balansity plan`: what the schedule is going to do, without doing it."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

import settings
from actors.messages import DEAD, DONE
from commands.messages import as_json, show
from db import clock, queries
from db.connection import Connection
from db.database import transaction
from domain.plan import Event, at_slots
from domain.slots import INSTANT, next_slot

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"])


@click.command()
@click.option("--from", "since", type=MOMENT, help="In the clinic's time zone; default: now.")
@click.option("--to", "until", type=MOMENT, help="In the clinic's time zone; default: a day later.")
@as_json
def plan(since: datetime | None, until: datetime | None, *, json_: bool) -> None:
    """Show which reminders, status changes and clean-ups would happen when; nothing is written.

    Example: balansity plan --from 2026-11-25 --to 2026-11-26T12:00
    """
    with transaction() as conn:
        queries.appointments.read_only(conn)
        now = clock.now(conn)
        start = _moment(since) or now
        end = _moment(until) or start + timedelta(days=1)
        if end <= start:
            raise click.UsageError(f"--to {end:%Y-%m-%d %H:%M} must be after --from {start:%Y-%m-%d %H:%M} (UTC)")
        events = [event for event in events_between(conn, min(now, start), end) if event.at >= start]
    _print(events, json_=json_)


def events_between(conn: Connection, start: datetime, end: datetime) -> list[Event]:
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
    events: list[Event] = []
    for job in queries.jobs.list_jobs(conn):
        if job.name in planners and not job.paused:
            begin = max(start, job.planned_until + INSTANT)
            events += planners[job.name](conn, begin, end, job.schedule, ZoneInfo(job.time_zone))
    return sorted(event for event in events if event.at <= end)


def _reminders(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Event]:
    """Each leaves at its own moment; one whose moment has passed leaves with the next run."""
    soonest = next_slot(schedule, zone, start)
    return [
        Event(due.due_at, f"reminder {due.kind}", f"appointment {due.appointment_id}")
        for due in queries.appointments.reminders_between(conn, now=soonest, until=end)
    ]


def _status_changes(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Event]:
    due = queries.appointments.status_changes_until(conn, until=end)
    events = [Event(row.due_at, row.status, f"appointment {row.appointment_id}") for row in due]
    return at_slots(events, start, schedule, zone)


def _abandonments(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Event]:
    due = queries.appointments.abandonments_until(conn, until=end)
    events = [Event(row.due_at, "abandoned", f"assessment {row.assessment_id}") for row in due]
    return at_slots(events, start, schedule, zone)


def _removals(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Event]:
    retention = timedelta(days=settings.current().report_retention_days)
    due = queries.reports.removals_until(conn, retention=retention, until=end)
    return at_slots([Event(row.due_at, "removed", f"report {row.id}") for row in due], start, schedule, zone)


def _purges(conn: Connection, start: datetime, end: datetime, schedule: str, zone: ZoneInfo) -> list[Event]:
    """How many of the messages that are finished or dead now leave in which slot."""
    counts: Counter[datetime] = Counter()
    for due in queries.messages.purges_until(conn, done=DONE, dead=DEAD, until=end):
        counts[next_slot(schedule, zone, max(due.due_at, start))] += due.messages
    return [Event(at, "purged", f"{count} messages") for at, count in counts.items()]


def _moment(given: datetime | None) -> datetime | None:
    return given and given.replace(tzinfo=settings.current().time_zone).astimezone(UTC)


def _print(events: list[Event], *, json_: bool) -> None:
    if json_:
        rows: list[dict[str, Any]] = [
            {"at": event.at.isoformat(), "what": event.what, "subject": event.subject} for event in events
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    zone = settings.current().time_zone
    show(
        f"{len(events)} events, times in {zone}",
        [
            {"at": f"{event.at.astimezone(zone):%d.%m.%Y %H:%M:%S}", "what": event.what, "subject": event.subject}
            for event in events
        ],
    )
