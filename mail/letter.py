"""Writes the mail that a message asks for: checks it, looks up the rows it speaks of, renders it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import settings
from db import queries
from db.connection import Connection
from domain.words import one_line
from gateways import report_storage
from gateways.mail.envelope import Attachment, Mail
from mail import guard
from mail.calendar_file import calendar_file
from mail.checks import Unsendable, check_size, checked_address, checked_subject
from mail.facts import Appointment, Assessment, Payment
from mail.guard import Superseded
from mail.order import MailOrder, Variables
from mail.rendering import render
from mail.template import TEMPLATES, Template

METHODS = {"yookassa": "ЮKassa", "bank_card": "банковская карта", "card": "банковская карта", "sbp": "СБП"}
ASSESSMENTS = {"checkup": "Детский", "parent": "Родительский", "family": "Семейный"}

# What a payment's mail says of a consultation when there is none.
NO_APPOINTMENT = {
    "appointment_type": None,
    "scheduled_at": None,
    "booked": False,
    "reminders": None,
    "cancelled": False,
}


@dataclass(frozen=True)
class Letter:
    """What a template is rendered with, and the files that go along."""

    words: dict[str, Any]
    attachments: tuple[Attachment, ...] = ()
    appointment: Appointment | None = None


def write(conn: Connection, order: MailOrder) -> Mail:
    """The finished mail.

    Raises:
        PermanentError: it can never be sent as ordered.
        Superseded: the reason for it is gone.
    """
    template = _known_template(order.template)
    recipient, subject = checked_address(order.to), checked_subject(order.subject)
    contents = order.read_contents()
    variables = contents.variables
    if template.name == "appointment_moved":
        variables = _since_last_told(conn, variables, order.key)
    letter = WRITERS[template.name](conn, template, variables)
    reader = variables.name or letter.words.get("reader") or _reader(conn, order.user_id)
    attachments = letter.attachments + _report(conn, contents.report_id)
    check_size(attachments)
    html, text = render(template.name, subject, letter.words | {"reader": reader}, attachments)
    return Mail(template.name, recipient, subject, html, text, attachments, appointment=letter.appointment)


def _known_template(name: Any) -> Template:
    if not isinstance(name, str) or name not in TEMPLATES:
        raise Unsendable(f"unknown template {name!a:.80}; there are {', '.join(sorted(TEMPLATES))}")
    return TEMPLATES[name]


def _since_last_told(conn: Connection, variables: Variables, key: str | None) -> Variables:
    """Tell a move from the time that the family heard last: of quick moves, only the last one is mailed."""
    if variables.appointment_id is None:
        return variables
    told = queries.deliveries.told_time(conn, appointment_id=str(variables.appointment_id), key=key)
    if told and told == variables.scheduled_at:
        raise Superseded("the family has heard of no other time")
    return variables.model_copy(update={"previous_scheduled_at": told or variables.previous_scheduled_at})


def _appointment_letter(conn: Connection, template: Template, variables: Variables) -> Letter:
    if variables.appointment_id is None:
        return _appointment_from_variables(variables)
    appointment = _appointment(conn, variables.appointment_id)
    if appointment is None:
        raise Superseded("the appointment no longer exists")
    zone = appointment.zone(settings.current().time_zone)
    guard.check_appointment(template.name, appointment, variables.scheduled_at, zone)
    words = {
        "reader": appointment.reader,
        "type_name": appointment.type_name,
        "patient": appointment.patient if appointment.patient != appointment.reader else None,
        "scheduled_at": appointment.scheduled_at,
        "previous_scheduled_at": variables.previous_scheduled_at,
        "duration_minutes": appointment.duration_minutes,
        "zone": zone,
        "link": appointment.link,
        "reminders": appointment.reminders,
        "unpaid": appointment.status == "pending",
    }
    return Letter(words, (calendar_file(appointment, settings.current().email_from),), appointment)


def _appointment(conn: Connection, appointment_id: UUID | None) -> Appointment | None:
    row = queries.letters.appointment(conn, id=str(appointment_id)) if appointment_id else None
    return Appointment.model_validate(row) if row else None


def _appointment_from_variables(variables: Variables) -> Letter:
    """A caller that names no appointment gets a simpler mail, as long as it says when."""
    if variables.scheduled_at is None:
        raise Unsendable("variables.appointment_id and variables.scheduled_at are missing: the mail could not say when")
    words = {
        "type_name": variables.appointment_type,
        "patient": None,
        "scheduled_at": variables.scheduled_at,
        "previous_scheduled_at": variables.previous_scheduled_at,
        "duration_minutes": None,
        "link": None,
        "reminders": None,
        "unpaid": variables.status == "pending",
    }
    return Letter(words)


def _payment_letter(conn: Connection, template: Template, variables: Variables) -> Letter:
    if variables.payment_id is None:
        return _payment_from_variables(variables)
    row = queries.letters.payment(conn, id=str(variables.payment_id))
    if row is None:
        raise Superseded("the payment no longer exists")
    payment = Payment.model_validate(row)
    guard.check_payment(template.name, payment)
    words = payment.model_dump() | {"method": METHODS.get(payment.payment_method or "")}
    appointment = _appointment(conn, payment.appointment_id)
    if appointment is None:
        return Letter(NO_APPOINTMENT | words)
    booked = appointment.status in guard.BOOKED and appointment.scheduled_at > appointment.read_at
    words |= {
        "appointment_type": appointment.type_name,
        "scheduled_at": appointment.scheduled_at,
        "zone": appointment.zone(settings.current().time_zone),
        "booked": booked,
        "reminders": appointment.reminders if booked else None,
        "cancelled": appointment.status == "cancelled",
    }
    confirms = booked and template.name == "payment_confirmation"
    return Letter(words, (calendar_file(appointment, settings.current().email_from),) if confirms else ())


def _payment_from_variables(variables: Variables) -> Letter:
    if variables.amount is None:
        raise Unsendable("variables.payment_id and variables.amount are missing: the mail could not say what was paid")
    words = {
        "id": None,
        "amount": variables.amount,
        "currency": variables.currency or "RUB",
        "method": METHODS.get(variables.payment_method or ""),
        "appointment_type": variables.appointment_type,
        "scheduled_at": variables.scheduled_at,
        "package": None,
    }
    return Letter(NO_APPOINTMENT | words)


def _assessment_letter(conn: Connection, _template: Template, variables: Variables) -> Letter:
    if variables.assessment_id is None:
        return _assessment_from_variables(variables)
    row = queries.letters.assessment(conn, id=str(variables.assessment_id))
    if row is None:
        raise Superseded("the check-up no longer exists")
    assessment = Assessment.model_validate(row)
    words = {
        "reader": assessment.reader,
        "patient": variables.profile_name or assessment.patient,
        "kind": ASSESSMENTS.get(assessment.assessment_type),
        "completed_at": variables.completed_at or assessment.completed_at,
    }
    return Letter(words)


def _assessment_from_variables(variables: Variables) -> Letter:
    """A caller that names no check-up gets a simpler mail, as long as it names a person."""
    if variables.name is None and variables.profile_name is None:
        raise Unsendable("variables.assessment_id and variables.name are missing: the mail could not say whose it is")
    return Letter({"patient": variables.profile_name, "kind": None, "completed_at": variables.completed_at})


def _report(conn: Connection, report_id: UUID | None) -> tuple[Attachment, ...]:
    if report_id is None:
        return ()
    file = report_storage.load(conn, report_id)
    return (Attachment(file.filename, file.media_type, file.content),)


def _reader(conn: Connection, user_id: UUID | None) -> str | None:
    return one_line(queries.letters.reader_name(conn, user_id=str(user_id))) if user_id else None


Writer = Callable[[Connection, Template, Variables], Letter]

WRITERS: dict[str, Writer] = {
    "checkup_completed": _assessment_letter,
    "report_ready": _assessment_letter,
    "appointment_confirmation": _appointment_letter,
    "appointment_moved": _appointment_letter,
    "appointment_cancelled": _appointment_letter,
    "appointment_reminder_24h": _appointment_letter,
    "appointment_reminder_1h": _appointment_letter,
    "payment_confirmation": _payment_letter,
    "payment_failed": _payment_letter,
    "payment_refunded": _payment_letter,
}
