"""Writes the letter that a message asks for: checks it, has its words looked up, renders it."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from uuid import UUID

import settings
from db import queries
from db.connection import Connection
from domain.words import person_name
from gateways import report_storage
from gateways.mail.envelope import Attachment, Mail
from mail import ledger, unsubscribing
from mail.checks import Unsendable, check_size, checked_address, checked_subject, is_address
from mail.facts import AppointmentFacts
from mail.guard import TELL_THE_TIME
from mail.headings import heading
from mail.order import Contents, MailOrder, Variables
from mail.rendering import render
from mail.template import TEMPLATES, Template
from mail.writers import WRITERS


@dataclass(frozen=True)
class Letter:
    """The text of a mail, to whom it goes, and the consultation that it is about."""

    template: str
    recipient: str
    subject: str
    html: str
    text: str
    attachments: tuple[Attachment, ...]
    appointment: AppointmentFacts | None

    def addressed(self, delivery_id: str, edition: int = 0) -> Mail:
        """The mail as a provider gets it."""
        link = unsubscribing.link(delivery_id) if TEMPLATES[self.template].can_be_done_without else ""
        html, text = (each.replace(unsubscribing.PLACE, link) for each in (self.html, self.text))
        return Mail(
            self.template, self.recipient, self.subject, html, text, self.attachments, delivery_id, link, edition
        )


def write(conn: Connection, order: MailOrder) -> Letter:
    """The finished letter.

    Raises:
        PermanentError: it can never be sent as ordered.
        Superseded: the reason for it is gone.
    """
    template = _known_template(order.template)
    recipient, subject = checked_address(order.to), checked_subject(order.subject)
    contents = order.read_contents()
    variables = contents.variables
    _check_owners(conn, recipient, contents, order.user_id)
    if template.name in TELL_THE_TIME and not order.is_again:
        variables = _since_last_told(conn, variables, order.key)
    if template.name == "appointment_confirmation" and (order.key is None or order.is_again):
        variables = _whatever_time(variables)
    filling = WRITERS[template.name](conn, template.name, variables)
    reader = variables.name or filling.words.get("reader") or _reader(conn, order.user_id)
    attachments = _calendar_file(filling.entry, recipient) + _report(conn, contents.report_id)
    check_size(attachments)
    words = filling.words | {"reader": reader}
    if subject == template.subject:  # who orders one of their own keeps it
        subject = heading(template.name, words, settings.current().time_zone).subject
    html, text = render(template.name, subject, words, attachments)
    return Letter(template.name, recipient, subject, html, text, attachments, filling.appointment)


def _known_template(name: Any) -> Template:
    if not isinstance(name, str) or name not in TEMPLATES:
        likely = "".join(f", perhaps {each}" for each in get_close_matches(str(name)[:80], TEMPLATES, n=1))
        raise Unsendable(f"unknown template{likely}: `balansity preview` lists them")
    return TEMPLATES[name]


def _check_owners(conn: Connection, recipient: str, contents: Contents, user_id: UUID | None) -> None:
    """Refuse a mail whose recipient is not the one to whom all that it names belongs."""
    named = contents.variables.named() | {"report_id": contents.report_id, "user_id": user_id}
    for row in queries.letters.owners(conn, **{name: value and str(value) for name, value in named.items()}):
        if not is_address(row.email, recipient):
            raise Unsendable(f"the {row.what} that it names belongs to another address than this")


def _since_last_told(conn: Connection, variables: Variables, key: str | None) -> Variables:
    """Tell a move from the time that the family heard last: of quick moves, only the last one is mailed."""
    if variables.appointment_id is None:
        return variables
    told = ledger.told_time(conn, variables.appointment_id, key)
    return variables.model_copy(update={"previous_scheduled_at": told or variables.previous_scheduled_at})


def _whatever_time(variables: Variables) -> Variables:
    """Confirm the time that the appointment has by now: of a move under the system that ordered this no mail tells."""
    return variables.model_copy(update={"scheduled_at": None}) if variables.appointment_id else variables


def _calendar_file(entry: AppointmentFacts | None, attendee: str) -> tuple[Attachment, ...]:
    from mail.calendar_file import calendar_file  # slow to import, and few mails need it

    return (calendar_file(entry, settings.current().email_from, attendee),) if entry else ()


def _report(conn: Connection, report_id: UUID | None) -> tuple[Attachment, ...]:
    if report_id is None:
        return ()
    file = report_storage.load(conn, report_id)
    return (Attachment(file.filename, file.media_type, file.content),)


def _reader(conn: Connection, user_id: UUID | None) -> str | None:
    return person_name(queries.letters.reader_name(conn, user_id=str(user_id))) if user_id else None
