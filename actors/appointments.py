"""What the schedule does: consultations' statuses, their reminders, and check-ups nobody finished."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import dramatiq

import settings
from actors.emails import send_email
from actors.runs import run_slot
from broker import broker
from db import queries
from db.batches import Done, Page, work_through
from db.connection import Connection
from db.database import transaction
from errors import PermanentError

LOOK_AHEAD = timedelta(seconds=90)  # the job runs every 60 s: each reminder is on its way before its moment comes
LONGEST_RUN = timedelta(hours=1)  # no actor's time limit comes near it
CLEANED = {  # what the clean-up does, and to what
    "check-ups abandoned": "check-up",
    "lost runs ended": "run",
    "lost mails given up": "delivery",
    "slots purged": "slot",
    "notes about deleted rows removed": "note",
}
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
    run_slot("send-appointment-reminders", slot, remind)


@dramatiq.actor(
    queue_name="appointments",
    max_retries=8,
    min_backoff=1_000,
    max_backoff=600_000,
    time_limit=600_000,
    throws=(PermanentError,),
)
def cleanup_old_assessments(slot: str) -> None:
    """Abandon check-ups left unfinished for 30 days, end lost runs and mails, forget old slots and deleted rows."""
    run_slot("cleanup-old-assessments", slot, clean_up)


def update_statuses(now: datetime) -> str:
    def update(conn: Connection, keys: list[str]) -> dict[str, int]:
        changed = queries.appointments.update_appointment_statuses(conn, keys=keys, now=now)
        return {"started": changed.started, "completed": changed.completed}

    done = work_through(transaction, "appointment", partial(queries.appointments.under_way, now=now), update)
    return f"{done.counts['started']} started, {done.counts['completed']} completed{done.note()}"


def remind(now: datetime) -> str:
    def send(conn: Connection, keys: list[str]) -> dict[str, int]:
        return {"sent": send_reminders(conn, now, keys)}

    due = partial(queries.appointments.to_remind, now=now, until=now + LOOK_AHEAD)
    done = work_through(transaction, "reminder of appointment", due, send)
    return f"{done.counts['sent']} reminders sent{done.note()}"


def send_reminders(conn: Connection, now: datetime, appointment_ids: list[str]) -> int:
    """Send what is due for these appointments, in the transaction that claims it."""
    due: list[Reminder] = list(
        queries.appointments.claim_reminders(conn, now=now, until=now + LOOK_AHEAD, keys=appointment_ids)
    )
    with broker.transaction(conn):
        for reminder in due:
            delay = max(reminder.due_at - now, timedelta())
            send_email.send_with_options(
                kwargs=mail(reminder), delay=delay // timedelta(milliseconds=1), broker_priority=REMINDER_PRIORITY
            )
    return len(due)


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


def clean_up(now: datetime) -> str:
    appointments, jobs, mails = queries.appointments, queries.jobs, queries.deliveries
    lost, done = {"before": now - LONGEST_RUN}, Done()
    done.add(_clean("check-ups abandoned", appointments.unfinished, appointments.abandon_old_assessments, now=now))
    done.add(_clean("lost runs ended", jobs.open_slots, jobs.fail_lost_slots, now=now, **lost))
    for state in ("planned", "sending"):
        done.add(_clean("lost mails given up", partial(mails.open, state=state), mails.give_up_lost, **lost))
    slots_kept = timedelta(days=settings.current().slot_retention_days)
    done.add(_clean("slots purged", jobs.old_slots, jobs.purge_slots, before=now - slots_kept))
    done.add(_clean("notes about deleted rows removed", queries.people.noted, queries.people.forget_deleted))
    return ", ".join(f"{done.counts[what]} {what}" for what in CLEANED) + done.note()


def _clean(what: str, page: Page, clean: Callable[..., int], **which: datetime) -> Done:
    """Clean what `page` finds of which; `clean` looks again."""

    def work(conn: Connection, keys: list[Any]) -> dict[str, int]:
        return {what: clean(conn, keys=keys, **which)}

    return work_through(transaction, CLEANED[what], partial(page, **which), work)
