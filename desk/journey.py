"""A person's journey: everything that happened to what is theirs, what is going to, and what is withheld and why."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db import queries
from db.connection import Connection
from desk import ids
from messaging.vault import kind_of

ADDRESS = re.compile(r"[^\s<>\"]+@[^\s<>\"]+")
BOOKED = ("scheduled", "confirmed")


@dataclass(frozen=True)
class Subject:
    """Whose journey it is: a user's, an address's that is no user's, or that of one thing that is nobody's."""

    kind: str  # of what was named
    user_id: str | None = None
    address: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Step:
    """Something that happened at `at`, or is going to; a time that no clinic can mean is None."""

    at: datetime | None
    kind: str  # user, check-up, report, consultation, payment, message or mail
    event: str
    id: str
    about: str | None  # the consultation, payment or check-up that it belongs to
    words: str | None  # the template, the actor, the sum
    detail: str | None  # why; may quote a person, but no address


@dataclass(frozen=True)
class Reminder:
    """What became of a reminder, or will; `why` says it in words."""

    appointment_id: str
    kind: str  # 24h or 1h
    due_at: datetime | None
    delivery_id: str | None
    state: str
    why: str


def find(conn: Connection, words: str) -> list[Subject]:
    """Whose things these words name: an address, a surname, or an id's first letters; several where they are shared."""
    words = words.strip()
    low, high = ids.beginning(words) or (None, None)
    found: dict[tuple[str | None, str | None], Subject] = {}
    for row in queries.journey.named(conn, words=words, low=low, high=high):
        if row.user_id:
            subject = Subject(row.kind, user_id=row.user_id)
        elif row.kind == "address":
            subject = Subject("address", address=words)
        else:
            subject = Subject(row.kind, id=row.id)
        found.setdefault((row.user_id, None if row.user_id else subject.id), subject)
    return list(found.values())


def steps(conn: Connection, subject: Subject) -> list[Step]:
    """The journey, in the order of time; what is of no time comes last."""
    rows = queries.journey.steps(conn, user_id=subject.user_id, address=subject.address, id=_uuid(subject.id))
    return [Step(**_covered(row._asdict())) for row in rows]


def reminders(conn: Connection, subject: Subject) -> list[Reminder]:
    """Each consultation's reminders, sent or not, and why not."""
    rows = queries.journey.reminders(conn, user_id=subject.user_id, id=_uuid(subject.id))
    return [Reminder(row.appointment_id, row.kind, row.due_at, row.delivery_id, *_judged(row)) for row in rows]


def _judged(row: Any) -> tuple[str, str]:
    """What became of a reminder, and why."""
    if row.delivery_id:
        return row.state, _without_addresses(row.reason)
    if reason := next(_withheld(row), None):
        return "withheld", reason
    if row.claimed:
        return "planned", "its message is on its way"
    return "planned", "it is not due yet" if row.read_at < row.due_at else "it is due now"


def _withheld(row: Any) -> Iterator[str]:
    """Why nothing sends it, in the order in which the job and the ledger ask."""
    if row.status == "pending":
        yield "the consultation is not paid"
    if row.status not in BOOKED:
        yield f"the consultation is {row.status}"
    if row.scheduled_at is None:
        yield "no clinic can mean the consultation's time"
    elif row.read_at >= row.useless_at:
        yield "its time has passed"
    if not row.has_address:
        yield "the person has no address"
    if row.suppressed:
        yield "the address is suppressed"
    if not row.in_charge:
        yield "the old system is in charge"
    if row.paused:
        yield "the job send-appointment-reminders is paused"


def _uuid(id_: str | None) -> str | None:
    """Only a message that waits in pgmq is called by something else."""
    try:
        return id_ and str(UUID(id_))
    except ValueError:
        return None


def _covered(step: dict[str, Any]) -> dict[str, Any]:
    """A step without what might name a person: of an error, a message shows only the kind."""
    detail = step["detail"]
    shown = detail and (kind_of(detail) if step["kind"] == "message" else _without_addresses(detail))
    return step | {"detail": shown or None}


def _without_addresses(words: str | None) -> str:
    return ADDRESS.sub("…", words or "")
