"""Whether the reason for a mail still holds at the moment when it goes out."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.russian import day_and_time
from mail.facts import BOOKED, AppointmentFacts, PaymentFacts

# A reminder that was held up is still useful until the next one takes over, or the consultation begins.
LATEST_REMINDER = {"appointment_reminder_24h": timedelta(hours=1), "appointment_reminder_1h": timedelta()}


class Superseded(Exception):  # noqa: N818 - an outcome of a delivery, not a mistake
    """The reason for this mail is gone; the message says why."""


def check_appointment(template: str, appointment: AppointmentFacts, promised: datetime | None, zone: ZoneInfo) -> None:
    """Stop a mail about an appointment that has changed since; `promised` is the time that the mail was made for.

    The reason names times in `zone`.

    Raises:
        Superseded: it was moved, cancelled, or is over.
    """
    if promised is not None and promised != appointment.scheduled_at:
        raise Superseded(f"the appointment was moved to {day_and_time(appointment.scheduled_at, zone)}")
    allowed = {
        "appointment_cancelled": {"cancelled"},
        "appointment_confirmation": {*BOOKED, "pending", "in_progress"},
        "appointment_moved": {*BOOKED, "pending"},
    }.get(template, BOOKED)
    if appointment.status not in allowed:
        raise Superseded(f"the appointment is {appointment.status} by now")
    if appointment.read_at >= appointment.scheduled_at + timedelta(minutes=appointment.duration_minutes):
        raise Superseded("the appointment is over")
    if appointment.read_at > deadline(template, appointment):
        raise Superseded("too late: a newer reminder or the appointment itself has taken over")


def deadline(template: str, appointment: AppointmentFacts) -> datetime:
    """Until when a mail about an appointment is of use."""
    if template in LATEST_REMINDER:
        return appointment.scheduled_at - LATEST_REMINDER[template]
    return appointment.scheduled_at + timedelta(minutes=appointment.duration_minutes)


def check_payment(template: str, payment: PaymentFacts) -> None:
    """Stop a mail about a payment whose status is no longer the one it reports.

    Raises:
        Superseded: it has moved on.
    """
    expected = {"payment_confirmation": "completed", "payment_failed": "failed", "payment_refunded": "refunded"}[
        template
    ]
    if payment.status != expected:
        raise Superseded(f"the payment is {payment.status} by now, not {expected}")
