"""What happens: the site's changes, and the effects that each must have, once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from db import queries
from db.connection import Connection
from demo.cast import Cast


@dataclass(frozen=True)
class Effect:
    """Something that must be seen: how it is called, and how to count it in what was seen."""

    label: str
    kind: str  # emails, reports, analytics, appointments, payments or assessments
    matches: Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Act:
    """A change and its effects; `play` is None where time or the schedule brings them."""

    title: str
    effects: tuple[Effect, ...]
    play: Callable[[Connection], Any] | None = None
    job: str | None = None


def mail(template: str, user_id: str) -> Effect:
    return Effect(f"mail {template}", "emails", lambda row: (row["template"], row["user_id"]) == (template, user_id))


def status(what: str, row_id: str, wanted: str) -> Effect:
    return Effect(f"{what[:-1]} {wanted}", what, lambda row: (row["id"], row["status"]) == (row_id, wanted))


def event(type_: str) -> Effect:
    return Effect(f"analytics {type_}", "analytics", lambda row: bool(row["type"] == type_))


def program(cast: Cast) -> list[Act]:
    """The acts in their order; those that the schedule brings stand first, so that they are watched from the start."""
    booking = cast.families["booking"]
    in_three_days = datetime.now(UTC).replace(minute=35, second=0, microsecond=0) + timedelta(days=3)
    return [
        Act("24 hours before a consultation", (mail("appointment_reminder_24h", cast.user("tomorrow")),)),
        Act("1 hour before a consultation", (mail("appointment_reminder_1h", cast.user("soon")),)),
        Act(
            "A check-up is completed",
            (
                Effect("report PDF", "reports", lambda row: row["assessment_id"] == cast.assessment_id),
                mail("checkup_completed", cast.user("check-up")),
                mail("report_ready", cast.user("check-up")),
                event("assessment_completed"),
            ),
            lambda conn: queries.demo.complete_assessment(conn, id=cast.assessment_id),
        ),
        Act(
            "A consultation is booked",
            (mail("appointment_confirmation", booking.user_id),),
            lambda conn: queries.demo.add_appointment(
                conn,
                user_id=booking.user_id,
                profile_id=booking.child_id,
                type_name="Психиатр",
                scheduled_at=in_three_days,
                status="scheduled",
                payment_id=None,
            ),
        ),
        Act(
            "A payment is completed",
            (
                mail("payment_confirmation", cast.user("payment")),
                status("appointments", cast.unpaid_appointment_id, "confirmed"),
                status("payments", cast.payment_id, "completed"),
                event("payment_completed"),
            ),
            lambda conn: queries.demo.set_payment_status(conn, id=cast.payment_id, status="completed"),
        ),
        Act(
            "A payment fails",
            (
                mail("payment_failed", cast.user("failure")),
                status("payments", cast.failing_payment_id, "failed"),
                event("payment_failed"),
            ),
            lambda conn: queries.demo.set_payment_status(conn, id=cast.failing_payment_id, status="failed"),
        ),
        Act(
            "Consultations begin and end",
            (
                status("appointments", cast.begun_appointment_id, "in_progress"),
                status("appointments", cast.over_appointment_id, "completed"),
            ),
            job="update-appointment-statuses",
        ),
        Act(
            "An old check-up is given up",
            (status("assessments", cast.stale_assessment_id, "abandoned"),),
            job="cleanup-old-assessments",
        ),
    ]
