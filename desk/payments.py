"""Payments as a person asks about them: which are open and why, what came of one, and the decision about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actors.payments import process_payment
from broker import broker
from db import clock, queries
from db.connection import Connection
from desk import ids
from desk.decision import Decision, record_once
from domain.money import Sum
from errors import Refused

# What `about` tells in words.
OF_WAITING = {
    "amount",
    "currency",
    "claimed",
    "is_anothers",
    "is_known",
    "is_stuck",
    "halted",
    "is_away",
    "since",
    "next_at",
    "checks",
    "answer",
}


MOST_COUNTED = 10_001  # of what nobody can be asked about, for there may be as many as payments


@dataclass(frozen=True)
class Open:
    """A payment that is not decided yet; a time that nobody knows is None."""

    id: str
    status: str
    sum: str
    since: datetime
    why: str
    next_check_at: datetime | None
    checks: int


@dataclass(frozen=True)
class Flagged:
    """A payment that a person has to decide about, and for what."""

    id: str
    status: str
    sum: str
    since: datetime
    reasons: list[str]


@dataclass(frozen=True)
class Effect:
    """Something that came of a payment: a mail, what it gave, a flag, a decision, the provider's answer."""

    at: datetime
    what: str
    id: str | None
    words: str | None


def open_ones(
    conn: Connection, count: int, *, known: bool = True, after: tuple[datetime | None, str | None] = (None, None)
) -> list[Open]:
    """Those that wait for the provider, the oldest first; or, not `known`, those that it cannot be asked about.

    A page of them begins behind the one that waits since `after`, with its id.
    """
    until, last = after
    rows = queries.payments.open(conn, known=known, until=until, last=last, count=count)
    return [_opened(row) for row in rows]


def counts_open(conn: Connection) -> dict[bool, int]:
    """How many are open that the provider can be asked about (True), and, counted so far, that it cannot."""
    row = queries.payments.count_open(conn, most=MOST_COUNTED)
    return {True: row.known, False: row.unknown}


def flagged(conn: Connection, count: int, *, after: tuple[datetime | None, str | None] = (None, None)) -> list[Flagged]:
    """Those that a person has to decide about, the longest waiting first; pages as `open_ones`."""
    until, last = after
    return [
        Flagged(row.id, row.status, str(Sum(row.amount, row.currency)), row.since, row.reasons)
        for row in queries.payments.flagged(conn, until=until, last=last, count=count)
    ]


def count_flagged(conn: Connection) -> int:
    return int(queries.payments.count_flagged(conn))


def find(conn: Connection, words: str, count: int) -> list[str]:
    """The ids of the payments that the provider calls so, or that begin so, as the numbers in mails do."""
    words = words.strip().lstrip("№# ")
    if found := called(conn, words):
        return found
    first, last = ids.beginning(words) or (None, None)
    return [row.id for row in queries.payments.ids(conn, first=first, last=last, count=count)] if first else []


def called(conn: Connection, name: str) -> list[str]:
    """The ids of the payments that the provider calls so."""
    return [row.id for row in queries.payments.called(conn, external_id=name)]


def about(conn: Connection, payment_id: str) -> dict[str, Any] | None:
    """One payment, what it waits for, and all that came of it; None where there is none."""
    row = queries.payments.find(conn, payment_id=payment_id)
    if row is None:
        return None
    waits = row.status in {"pending", "processing"} or row.claimed or row.refund_id
    facts = {name: value for name, value in row._asdict().items() if name not in OF_WAITING}
    effects = [Effect(**effect._asdict()) for effect in queries.payments.effects(conn, payment_id=payment_id)]
    return facts | {
        "sum": str(Sum(row.amount, row.currency)),
        "open": _opened(row) if waits else None,
        "effect": effects,
    }


def flags(conn: Connection, payment_id: str) -> list[Any]:
    """What a person has to decide about a payment."""
    return list(queries.payments.flags_of(conn, payment_id=payment_id))


def process(conn: Connection, payment_id: str, action: str, decision: Decision) -> None:
    """Have a worker verify or refund a payment, or bring about what its status requires.

    Raises:
        Refused: there is no money to give back.
    """
    if action == "refund":
        _see_completed(conn, payment_id)
    if record_once(conn, decision, f"{action} payment", payment_id):
        with broker.transaction(conn):
            process_payment.send(payment_id=payment_id, action=action)


def resolve(conn: Connection, payment_id: str, decision: Decision) -> None:
    """Approve a payment as it stands: it is no longer flagged, and what held it up holds no more."""
    if record_once(conn, decision, "resolve payment", payment_id):
        queries.payments.resolve_flags(
            conn, payment_id=payment_id, who=decision.who, reason=decision.reason, now=clock.now(conn)
        )


def _see_completed(conn: Connection, payment_id: str) -> None:
    """See that a payment's money has come and stays."""
    row = queries.payments.find_payment(conn, payment_id=payment_id)
    if row is None or row.status != "completed":
        raise Refused(
            "Payment %(id)s is %(status)s: only a completed one can be refunded.",
            id=payment_id,
            status=row.status if row else None,
        )


def _opened(row: Any) -> Open:
    asks = row.is_known and not row.is_stuck
    next_at = row.next_at if asks else None
    return Open(row.id, row.status, str(Sum(row.amount, row.currency)), row.since, _why(row), next_at, row.checks)


def _why(row: Any) -> str:
    """What it waits for, the most pressing first."""
    return next(_reasons(row))


def _reasons(row: Any) -> Iterator[str]:
    if row.halted:
        yield f"held until a person decides: {row.halted}"
    if row.is_anothers:
        yield "what was paid under its id at the provider is another row's"
    if not row.external_id:
        yield "the checkout gave it no id at the provider: nobody can be asked, it stays open"
    if not row.is_known:
        yield f"paid by {row.payment_method}: no provider that can be asked"
    if row.is_stuck:
        yield "no answer in three days: a person has to decide"
    if row.is_away:
        yield "the provider is away: it is asked once it is back"
    if row.refund_id:
        yield "the provider has not decided about the refund"
    if row.claimed:
        yield "completed as a visitor wrote it: nothing follows until the provider says so"
    yield f"the provider said: {row.answer}" if row.answer else "the provider has not answered yet"
