"""Words for columns and states that the database names; each page's reader sees them in their language."""

from collections.abc import Iterable

from translations import N_
from web.language import gettext

__all__ = ["N_"]  # for other words of pages

HEADS = {
    "queue": N_("Queue"),
    "waiting": N_("Waiting"),
    "delayed": N_("Delayed"),
    "running": N_("Running"),
    "dead": N_("Dead"),
    "set_aside": N_("Set aside"),
    "oldest_seconds": N_("Oldest, s"),
    "done_an_hour": N_("Done in an hour"),
    "p50_seconds": N_("Half within, s"),
    "p95_seconds": N_("95 % within, s"),
    "worker": N_("Worker"),
    "host": N_("Host"),
    "pid": N_("Process"),
    "provider": N_("Provider"),
    "state": N_("State"),
    "since": N_("Since"),
    "reason": N_("Why"),
    "noticed_by": N_("Noticed by"),
    "probes": N_("Tries"),
    "next_probe_at": N_("Next try"),
    "held": N_("Held back"),
    "scheduler": N_("Scheduler"),
    "silent_seconds": N_("Silent for, s"),
    "job": N_("Job"),
    "next_run": N_("Next run"),
    "latest_run": N_("Latest run"),
    "outcome": N_("Outcome"),
    "message": N_("Message"),
    "actor": N_("Actor"),
    "died_at": N_("Died"),
    "attempts": N_("Attempts"),
    "template": N_("Mail"),
    "count": N_("How many"),
}
STATES = {
    "away": N_("away"),
    "probing": N_("being tried"),
    "available": N_("available"),
    "planned": N_("planned"),
    "sending": N_("being sent"),
    "withheld": N_("withheld"),
    "queued": N_("queued"),
    "running": N_("running"),
    "done": N_("done"),
    "dead": N_("given up"),
    "failed": N_("failed"),
    "missed": N_("missed"),
    "sent": N_("sent"),
    "processed": N_("taken by the provider"),
    "deferred": N_("put off by the recipient's server"),
    "blocked": N_("blocked"),
    "dropped": N_("dropped"),
    "complained": N_("complained of"),
    "delivered": N_("delivered"),
    "bounced": N_("bounced"),
    "unknown": N_("unknown"),
    "superseded": N_("superseded"),
    "suppressed": N_("suppressed"),
    "pending": N_("not paid yet"),
    "processing": N_("being paid"),
    "completed": N_("completed"),
    "cancelled": N_("cancelled"),
    "refunded": N_("refunded"),
    "started": N_("running"),
    "succeeded": N_("done"),
    "skipped": N_("skipped"),
    "paused": N_("paused"),
}
MOODS = {
    **dict.fromkeys(
        ("dead", "complained", "dropped", "blocked", "away", "probing", "failed", "bounced", "unknown", "missed"), "bad"
    ),
    **dict.fromkeys(("available", "done", "sent", "delivered", "completed", "succeeded"), "good"),
    **dict.fromkeys(("running", "queued", "planned", "sending", "started", "pending", "processing", "paused"), "busy"),
}
SUPPRESSIONS = {
    "bounced": N_("a returned mail"),
    "complained": N_("a complaint"),
    "unsubscribed": N_("a wish for no reminders"),
}
HEADINGS = {
    "checkups": N_("Check-ups"),
    "consultations": N_("Consultations"),
    "revenue": N_("Revenue"),
    "mails": N_("Mails"),
    "events": N_("Events"),
}
COLUMNS = {
    "type": N_("Kind"),
    "template": N_("Mail"),
    "currency": N_("Currency"),
    "started": N_("Started"),
    "in_progress": N_("Unfinished"),
    "abandoned": N_("Abandoned"),
    "booked": N_("Booked"),
    "cancelled": N_("Cancelled"),
    "no_show": N_("Nobody came"),
    "open": N_("To come"),
    "payments": N_("Payments made"),
    "revenue": N_("Revenue"),
    "refunds": N_("Refunds"),
    "kept": N_("Kept"),
    "planned": N_("In all"),
    "waiting": N_("Waiting to leave"),
    "sent": N_("Sent, no answer yet"),
    "delivered": N_("Delivered"),
    "bounced": N_("Bounced"),
    "complained": N_("Complaints"),
    "dropped": N_("Dropped by the provider"),
    "unknown": N_("Outcome unknown"),
    "failed": N_("Failed"),
    "superseded": N_("Superseded"),
    "suppressed": N_("Address takes none"),
    "events": N_("Occurred"),
    "completed": N_("Completed"),
}
GROUPS = {
    "checkups": {
        "checkup": N_("Child's check-up"),
        "parent": N_("Parent's check-up"),
        "family": N_("Family's check-up"),
    },
    "revenue": {"other": N_("Other")},
    "mails": {
        "checkup_completed": N_("Check-up completed"),
        "report_ready": N_("Report ready"),
        "appointment_confirmation": N_("Consultation booked"),
        "appointment_moved": N_("Consultation moved"),
        "appointment_cancelled": N_("Consultation cancelled"),
        "appointment_reminder_24h": N_("Reminder 24 hours before"),
        "appointment_reminder_1h": N_("Reminder an hour before"),
        "payment_confirmation": N_("Payment confirmed"),
        "payment_failed": N_("Payment failed"),
        "payment_refunded": N_("Payment refunded"),
    },
    "events": {
        "assessment_completed": N_("Check-up completed"),
        "payment_completed": N_("Payment went through"),
        "payment_failed": N_("Payment failed"),
        "payment_cancelled": N_("Payment cancelled"),
        "payment_refunded": N_("Payment refunded"),
    },
}


MESSAGE_STATES = {
    "waiting": N_("waits"),
    "in line": N_("waits for its turn"),
    "delayed": N_("waits for its time"),
    "set aside": N_("set aside for a worker that can run it"),
    "running": N_("runs"),
    "dead": N_("given up"),
    "cancelled": N_("cancelled"),
    "done": N_("done"),
}
BULK = {
    "redrive": (N_("Try all again"), N_("They go back to work with a clean record of attempts.")),
    "cancel": (
        N_("Cancel all"),
        N_("They are kept as cancelled, and run only if somebody sends them back to work; what runs is asked to end."),
    ),
    "discard": (N_("Delete all for good"), N_("Nothing of them is kept but a line in the log.")),
}
SPANS = {
    "10m": N_("10 minutes"),
    "15m": N_("15 minutes"),
    "1h": N_("an hour"),
    "4h": N_("4 hours"),
    "1d": N_("a day"),
    "7d": N_("a week"),
    "open": N_("until it is resumed"),
}

# In which a mail may be.
DELIVERY_STATES = (
    *("planned", "sending", "sent", "delivered", "bounced", "complained", "dropped", "unknown", "failed"),
    *("superseded", "suppressed"),
)


def delivery_states() -> dict[str, str]:
    """The states of mails, each in the reader's language."""
    return {name: state(name) for name in DELIVERY_STATES}


def state(name: str) -> str:
    """A state in the reader's language."""
    return gettext(STATES[name]) if name in STATES else name


def mail(template: str) -> str:
    """What a mail is called in the reader's language."""
    name = GROUPS["mails"].get(template)
    return gettext(name) if name else template


def suppression(reason: str) -> str:
    """Why an address takes no mail, or not all."""
    return gettext(SUPPRESSIONS[reason])


def mood(name: str) -> str:
    """Whether a state is good or bad news, or work in progress."""
    return MOODS.get(name, "idle")


def bulk(action: str) -> str:
    """What is done to many messages."""
    return gettext(BULK[action][0])


def bulk_about(action: str) -> str:
    """What that means."""
    return gettext(BULK[action][1])


def span(name: str) -> str:
    """A span of time by its short name: 15m, 7d, or open."""
    return gettext(SPANS[name])


def message_state(name: str) -> str:
    """A message's state, as `desk.messages.STATES` calls it."""
    return gettext(MESSAGE_STATES[name])


def heads(names: Iterable[str]) -> dict[str, str]:
    """The columns of a table by their names."""
    return {name: gettext(HEADS[name]) for name in names}
