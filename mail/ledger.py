"""The door to the ledger of mails: what it is told of one, and what it decides (docs/mail.md has the states).

Every statement commits by itself. What only this process knows is written however long the database is away.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, Self
from uuid import UUID, uuid4

import psycopg2

import settings
from db import queries
from db.connection import Connection
from db.database import single_statements
from db.text import storable
from db.trouble import passes
from mail.insistence import insist
from mail.order import MailOrder
from mail.template import TEMPLATES

LONGEST_SHOWN = 500  # characters that the ledger keeps of a value which may be anything


class Entry(NamedTuple):
    """What the ledger keeps of a mail: balansity.mail_entry, field by field."""

    key: str
    numbered: bool  # the key is nothing but the number that pgmq gave the message
    message_id: str
    template: str
    recipient: str | None
    subject: str | None
    user_id: str | None
    appointment_id: str | None = None  # the consultation that the letter is about,
    scheduled_at: datetime | None = None  # and the time that it names for it

    @classmethod
    def of(cls, order: MailOrder, message_id: str, pgmq_key: str | None = None) -> Self:
        """An order's entry; its key is a reminder's, or the order's own, or else that of its message."""
        own = order.reminder_key() or order.key
        return cls(
            key=own or pgmq_key or f"message:{message_id}",
            numbered=own is None and pgmq_key is not None,
            message_id=message_id,
            template=_shown(order.template),
            recipient=_shown(order.to).strip() or None,
            subject=_shown(order.subject) or None,
            user_id=str(order.user_id) if order.user_id else None,
        )


class Refusal(NamedTuple):
    """Why there is no letter: the state in which the delivery ends, and the reason for a person."""

    state: str
    reason: str


class Decision(Protocol):
    """What the ledger decided: with a `number`, the delivery is `sending` and that attempt is the caller's.

    Without one, `wait` is how long to wait before asking again; None: there is nothing left to do.
    """

    delivery_id: str
    state: str
    number: int | None
    wait: timedelta | None
    edition: int


def plan(entry: Entry) -> None:
    """See to it that the delivery is in the ledger."""
    with single_statements() as conn:
        queries.deliveries.plan(conn, entry=entry)


def is_untaken(entry: Entry, provider: str) -> bool:
    """Whether it is certain that no other provider than this one has the mail without our knowing."""
    with single_statements() as conn:
        certain: bool = queries.deliveries.is_untaken(conn, entry=entry, provider=provider)
    return certain


def postpone(entry: Entry, until: datetime, reason: str) -> None:
    """Note that a planned delivery waits until then, and why."""
    with single_statements() as conn:
        queries.deliveries.postpone(conn, entry=entry, until=until, reason=reason)


def begin(entry: Entry, refusal: Refusal | None, provider: str) -> Decision:
    """Decide whether the mail may leave now; an attempt is committed as `sending` when this returns.

    Raises:
        psycopg2.Error: it is not decided; an attempt that had begun when the connection broke is taken back.
    """
    template = TEMPLATES.get(entry.template)
    token = str(uuid4())
    try:
        with single_statements() as conn:
            decision: Decision = queries.deliveries.begin(
                conn,
                entry=entry,
                refusal=refusal and refusal.state,
                reason=refusal and storable(refusal.reason),
                despite=sorted(template.despite) if template else [],
                hourly=settings.current().email_hourly_limit,
                resend_after=template and template.resend_after,
                provider=provider,
                token=token,
            )
    except psycopg2.Error as error:
        if passes(error):
            insist(lambda conn: queries.deliveries.withdraw(conn, token=token))
        raise
    return decision


def finish(delivery_id: str, number: int, outcome: str, answer: str, provider_message_id: str | None) -> None:
    """Write down how an attempt ended, however long the database is away."""
    insist(
        lambda conn: queries.deliveries.finish_attempt(
            conn,
            delivery_id=delivery_id,
            number=number,
            outcome=outcome,
            answer=storable(answer),
            provider_message_id=provider_message_id and storable(provider_message_id),
        )
    )


def give_up(entry: Entry, reason: str) -> None:
    """Close a delivery that is out of tries with the provider's last answer, or where there is none with `reason`."""
    insist(lambda conn: queries.deliveries.give_up(conn, entry=entry, reason=reason))


def told_time(conn: Connection, appointment_id: UUID, key: str | None) -> datetime | None:
    """The time of a consultation that the last mail about it named, but for the delivery `key`."""
    told: datetime | None = queries.deliveries.told_time(conn, appointment_id=str(appointment_id), key=key)
    return told


def _shown(value: Any) -> str:
    """What the ledger keeps of a value of unknown kind."""
    return "" if value is None else storable(str(value))[:LONGEST_SHOWN]
