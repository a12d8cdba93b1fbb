"""Whether the reason for a mail still holds at the moment when it goes out."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.russian import day_and_time
from mail.facts import BOOKED, AppointmentFacts, PaymentFacts

# A reminder that was held up is still useful until the next one takes over, or the consultation begins.
LATEST_REMINDER = {"appointment_reminder_24h": timedelta(hours=1), "appointment_reminder_1h": timedelta()}
TELL_THE_TIME = {"appointment_confirmation", "appointment_moved"}


class Superseded(Exception):  # noqa: N818 - an outcome of a delivery, not a mistake
    """The reason for this mail is gone; the message says why."""


def check_appointment(template: str, appointment: AppointmentFacts, promised: datetime | None, zone: ZoneInfo) -> None:
    """Stop a mail about an appointment that has changed since; `promised` is the time that the mail was made for.

    A move that no mail was ordered for, while the old system was in charge, is told by whatever mail tells a time. The
    reason names times in `zone`.

    Raises:
        Superseded: it was moved, cancelled, or is over.
    """
    is_told_here = template in TELL_THE_TIME and not appointment.is_move_ordered
    if promised not in {None, appointment.scheduled_at} and not is_told_here:
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


def check_news(template: str, appointment: AppointmentFacts, promised: datetime | None, heard: datetime | None) -> None:
    """Stop a mail that would tell of a move what the family has `heard` last.

    Raises:
        Superseded: another mail has named the present time.
    """
    tells_a_move = template == "appointment_moved" or promised not in {None, appointment.scheduled_at}
    if template in TELL_THE_TIME and tells_a_move and heard == appointment.scheduled_at:
        raise Superseded("the family has heard of no other time")


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
