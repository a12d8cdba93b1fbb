"""What the schedule does: consultations' statuses, their reminders, and check-ups nobody finished."""

from datetime import datetime, timedelta
from typing import Any, Protocol

import dramatiq

from actors.emails import send_email
from actors.runs import run_slot
from broker import broker
from db import queries
from db.connection import Connection
from errors import PermanentError

LOOK_AHEAD = timedelta(seconds=90)  # the job runs every 60 s: each reminder is on its way before its moment comes
HISTORY = timedelta(days=90)  # how long slots are kept
LONGEST_RUN = timedelta(hours=1)  # no actor's time limit comes near it
REMINDER_PRIORITY = 10  # ahead of mail that has no hour to keep


class Reminder(Protocol):
    """A reminder to send: its kind is 24h or 1h, its times are of the consultation and of the mail."""

    appointment_id: str
    kind: str
    scheduled_at: str
    due_at: datetime
    user_id: str
    email: str | None


@dramatiq.actor(
    queue_name="appointments",
    max_retries=5,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def update_appointment_statuses(slot: str) -> None:
    """Begin the consultations whose time has come and complete those that are over."""
    run_slot("update-appointment-statuses", slot, update_statuses)


@dramatiq.actor(
    queue_name="appointments",
    max_retries=5,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def send_appointment_reminders(slot: str) -> None:
    """Send the reminders whose moment has come, and put those of the next minute on their way."""
    run_slot("send-appointment-reminders", slot, send_reminders)


@dramatiq.actor(
    queue_name="appointments",
    max_retries=8,
    min_backoff=1_000,
    max_backoff=600_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def cleanup_old_assessments(slot: str) -> None:
    """Abandon check-ups left unfinished for 30 days, end lost runs and mails, forget old slots and deleted rows."""
    run_slot("cleanup-old-assessments", slot, clean_up)


def update_statuses(conn: Connection, now: datetime) -> str:
    changed = queries.appointments.update_appointment_statuses(conn, now=now)
    return f"{changed.started} started, {changed.completed} completed"


def send_reminders(conn: Connection, now: datetime) -> str:
    due: list[Reminder] = list(queries.appointments.claim_reminders(conn, now=now, until=now + LOOK_AHEAD))
    with broker.transaction(conn):
        for reminder in due:
            delay = max(reminder.due_at - now, timedelta())
            send_email.send_with_options(
                kwargs=mail(reminder), delay=delay // timedelta(milliseconds=1), broker_priority=REMINDER_PRIORITY
            )
    return f"{len(due)} reminders sent"


def mail(reminder: Reminder) -> dict[str, Any]:
    """The message that send_email gets for a reminder."""
    return {
        "to": reminder.email,
        "subject": "Напоминание о консультации",
        "template": f"appointment_reminder_{reminder.kind}",
        "variables": {"appointment_id": reminder.appointment_id, "scheduled_at": reminder.scheduled_at},
        "priority": REMINDER_PRIORITY,
        "key": f"reminder:{reminder.kind}:{reminder.appointment_id}:{reminder.scheduled_at}",
        "user_id": reminder.user_id,
    }


def clean_up(conn: Connection, now: datetime) -> str:
    abandoned = queries.appointments.abandon_old_assessments(conn, now=now)
    lost = queries.jobs.fail_lost_slots(conn, before=now - LONGEST_RUN, now=now)
    given_up = queries.deliveries.give_up_lost(conn, before=now - LONGEST_RUN)
    purged = queries.jobs.purge_slots(conn, before=now - HISTORY)
    forgotten = queries.appointments.forget_deleted(conn)
    return (
        f"{abandoned} check-ups abandoned, {lost} lost runs ended, {given_up} lost mails given up, "
        f"{purged} slots purged, {forgotten} notes about deleted rows removed"
    )
