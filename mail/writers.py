"""One writer a kind of mail: looks up its row, asks whether the reason still holds, and finds the template's words."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import settings
from db import queries
from db.connection import Connection
from mail import guard
from mail.checks import Unsendable
from mail.facts import AppointmentFacts, AssessmentFacts, PaymentFacts
from mail.guard import Superseded
from mail.order import REMINDERS, Variables

METHODS = {"yookassa": "ЮKassa", "bank_card": "банковская карта", "card": "банковская карта", "sbp": "СБП"}
ASSESSMENTS = {"checkup": "Детский", "parent": "Родительский", "family": "Семейный"}

# What a payment's mail says of a consultation when there is none.
NO_APPOINTMENT = {
    **dict.fromkeys(("appointment_type", "scheduled_at", "reminders")),
    **dict.fromkeys(("booked", "cancelled"), False),
}


@dataclass(frozen=True)
class Filling:
    """What a template is filled with, what the mail is about, and whose entry in the calendar it changes."""

    words: dict[str, Any]
    appointment: AppointmentFacts | None = None
    entry: AppointmentFacts | None = None


def about_appointment(conn: Connection, template: str, variables: Variables) -> Filling:
    if variables.appointment_id is None:
        return _appointment_as_told(variables)
    appointment = _appointment(conn, variables.appointment_id)
    if appointment is None:
        raise Superseded("the appointment no longer exists")
    zone = appointment.zone(settings.current().time_zone)
    guard.check_appointment(template, appointment, variables.scheduled_at, zone)
    guard.check_news(template, appointment, variables.scheduled_at, variables.previous_scheduled_at)
    words = {
        "reader": appointment.reader,
        "type_name": appointment.type_name,
        "patient": appointment.patient if appointment.patient != appointment.reader else None,
        "scheduled_at": appointment.scheduled_at,
        "previous_scheduled_at": variables.previous_scheduled_at,
        "duration_minutes": appointment.duration_minutes,
        "zone": zone,
        "link": appointment.link,
        "link_is_in_account": appointment.link_is_in_account,
        "reminders": appointment.reminders,
        "unpaid": (unpaid := appointment.status == "pending"),
        "price": appointment.price if unpaid else None,
        "page": settings.current().page_of("appointment", appointment.id),
    }
    # A reminder changes nothing: sent once more, an invitation would look like a change.
    return Filling(words, appointment, None if template in REMINDERS else appointment)


def _appointment(conn: Connection, appointment_id: UUID) -> AppointmentFacts | None:
    row = queries.letters.appointment(conn, id=str(appointment_id))
    if row and row.scheduled_at is None:
        raise Unsendable("the appointment's time is in no calendar")
    return AppointmentFacts.model_validate(row, from_attributes=True) if row else None


def _appointment_as_told(variables: Variables) -> Filling:
    """A caller that names no appointment gets a simpler mail, as long as it says when."""
    if variables.scheduled_at is None:
        raise Unsendable("variables.appointment_id and variables.scheduled_at are missing: the mail could not say when")
    return Filling(
        {
            "type_name": variables.appointment_type,
            "patient": None,
            "scheduled_at": variables.scheduled_at,
            "previous_scheduled_at": variables.previous_scheduled_at,
            "duration_minutes": None,
            "link": None,
            "link_is_in_account": False,
            "reminders": None,
            "unpaid": variables.status == "pending",
            "price": None,
            "page": None,
        }
    )


def about_payment(conn: Connection, template: str, variables: Variables) -> Filling:
    if variables.payment_id is None:
        return _payment_as_told(variables)
    row = queries.letters.payment(conn, id=str(variables.payment_id))
    if row is None:
        raise Superseded("the payment no longer exists")
    payment = PaymentFacts.model_validate(row, from_attributes=True)
    guard.check_payment(template, payment)
    words = NO_APPOINTMENT | payment.model_dump() | _about(payment)
    appointment = None
    if payment.appointment_id:
        with suppress(Unsendable):  # its odd time is no reason to keep the receipt back
            appointment = _appointment(conn, payment.appointment_id)
    if appointment is None:
        return Filling(words)
    confirms = appointment.is_ahead and template == "payment_confirmation"
    return Filling(words | _what_was_paid_for(appointment), entry=appointment if confirms else None)


def _about(payment: PaymentFacts) -> dict[str, Any]:
    return {
        "method": METHODS.get(payment.payment_method or ""),
        "page": settings.current().page_of("payment", payment.id),
    }


def _what_was_paid_for(appointment: AppointmentFacts) -> dict[str, Any]:
    return {
        "appointment_type": appointment.type_name,
        "scheduled_at": appointment.scheduled_at,
        "zone": appointment.zone(settings.current().time_zone),
        "booked": appointment.is_ahead,
        "reminders": appointment.reminders if appointment.is_ahead else None,
        "cancelled": appointment.status == "cancelled",
    }


def _payment_as_told(variables: Variables) -> Filling:
    if variables.amount is None:
        raise Unsendable("variables.payment_id and variables.amount are missing: the mail could not say what was paid")
    return Filling(
        NO_APPOINTMENT
        | {
            "id": None,
            "amount": variables.amount,
            "currency": variables.currency,
            "method": METHODS.get(variables.payment_method or ""),
            "appointment_type": variables.appointment_type,
            "scheduled_at": variables.scheduled_at,
            "package": None,
            "paid_at": None,
            "page": None,
        }
    )


def about_assessment(conn: Connection, _template: str, variables: Variables) -> Filling:
    if variables.assessment_id is None:
        return _assessment_as_told(variables)
    row = queries.letters.assessment(conn, id=str(variables.assessment_id))
    if row is None:
        raise Superseded("the check-up no longer exists")
    assessment = AssessmentFacts.model_validate(row, from_attributes=True)
    return Filling(
        {
            "reader": assessment.reader,
            "patient": variables.profile_name or assessment.patient,
            "kind": ASSESSMENTS.get(assessment.assessment_type or ""),
            "completed_at": variables.completed_at or assessment.completed_at,
            "page": settings.current().page_of("report", variables.assessment_id),
        }
    )


def _assessment_as_told(variables: Variables) -> Filling:
    """A caller that names no check-up gets a simpler mail, as long as it names a person."""
    if variables.name is None and variables.profile_name is None:
        raise Unsendable("variables.assessment_id and variables.name are missing: the mail could not say whose it is")
    return Filling(
        {"patient": variables.profile_name, "kind": None, "completed_at": variables.completed_at, "page": None}
    )


WRITERS: dict[str, Callable[[Connection, str, Variables], Filling]] = {
    "checkup_completed": about_assessment,
    "report_ready": about_assessment,
    "appointment_confirmation": about_appointment,
    "appointment_moved": about_appointment,
    "appointment_cancelled": about_appointment,
    "appointment_reminder_24h": about_appointment,
    "appointment_reminder_1h": about_appointment,
    "payment_confirmation": about_payment,
    "payment_failed": about_payment,
    "payment_refunded": about_payment,
}
