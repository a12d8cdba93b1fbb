"""Payments: asked about, refunded and settled; each change takes effect once, by the trigger on the table itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol
from uuid import UUID

import dramatiq
from psycopg2.errors import LockNotAvailable
from pydantic import BaseModel

from actors.holding import reaching
from actors.runs import run_slot
from broker import broker
from db import clock, queries
from db.batches import work_through
from db.connection import Connection
from db.database import transaction
from domain.money import Sum
from domain.payload import read_payload
from domain.payments import Verdict, disagreement, judge
from errors import PermanentError, RetryableError, UnknownToProvider
from gateways import yookassa
from gateways.yookassa import ProviderRefund
from log import EventLogger, first_line

events = EventLogger(__name__)

TAKEN = Verdict(("completed",))


class Task(BaseModel):
    """The message of payment_processing_queue."""

    payment_id: UUID
    action: Literal["verify", "refund", "update_status"]


class Payment(Protocol):
    """A payment as our table has it."""

    id: str
    status: str
    amount: Decimal
    currency: str
    payment_method: str | None
    external_id: str | None
    refund_id: str | None  # of a refund that the provider has not decided yet
    is_anothers: bool  # the payment at the provider pays for another row
    made_for: dict[str, Any]  # our metadata, and the user


@dramatiq.actor(
    queue_name="payments",
    pgmq_queue="payment_processing_queue",
    required=["payment_id", "action"],
    readable=["payment_id", "action"],
    key="payment_id",
    max_retries=16,
    min_backoff=2_000,
    max_backoff=3_600_000,
    time_limit=120_000,
    throws=(PermanentError,),
)
def process_payment(**payload: Any) -> None:
    """Do what the message asks for: verify, refund or update_status."""
    task = read_payload(Task, payload, "a payment")
    payment = _find(task.payment_id)
    with reaching(yookassa.NAME) if task.action in ASKING else nullcontext():
        ACTIONS[task.action](payment)
    events.info("payment_processed", payment=payment.id, action=task.action)


@dramatiq.actor(
    queue_name="payments",
    max_retries=5,
    min_backoff=1_000,
    max_backoff=60_000,
    time_limit=60_000,
    throws=(PermanentError,),
)
def verify_open_payments(slot: str) -> None:
    """Ask about what hangs, ever less often and for 3 days without outages, and make up for links that came late."""
    run_slot("verify-open-payments", slot, check_open_payments)


def verify(payment: Payment) -> None:
    """Take on what the provider says, unless it speaks of other money."""
    if payment.is_anothers:
        with transaction() as conn:
            queries.payments.flag_anothers(conn, payment_id=payment.id, now=clock.now(conn))
        return
    try:
        verdict = _ask_about(payment)
    except UnknownToProvider:
        if not _made_up(payment):
            raise
        return
    if payment.refund_id and verdict == TAKEN:
        _take_on_refund(payment, yookassa.find_refund(payment.refund_id))
    else:
        _take_on(payment, verdict, queries.payments.flag_finding)


def refund(payment: Payment) -> None:
    """Give the money back, once however often this runs.

    Raises:
        PermanentError: there is no money to give back, or the provider will not.
    """
    if payment.status == "refunded":
        return
    if payment.status != "completed":
        raise PermanentError(f"Payment {payment.id} is {payment.status}: only a completed one can be refunded")
    if payment.refund_id:
        verify(payment)
        return
    # Asked first: the provider forgets Idempotence-Keys after a day, and a message may be redriven later than that.
    verdict = _ask_about(payment)
    if verdict == TAKEN:
        _take_on_refund(payment, _give_back(payment))
    else:
        _take_on(payment, verdict, queries.payments.flag)


def update_status(payment: Payment) -> None:
    """Bring about what the payment's present status requires, as far as that has not happened."""
    with _changing(payment) as conn:
        queries.payments.settle(conn, payment_id=payment.id, now=clock.now(conn))


ACTIONS = {"verify": verify, "refund": refund, "update_status": update_status}
ASKING = {"verify", "refund"}  # those that ask the provider


def check_open_payments(now: datetime) -> str:
    def check(conn: Connection, keys: list[str]) -> dict[str, int]:
        queries.payments.yield_to_others(conn)
        can_ask = yookassa.configured()
        due = list(queries.payments.claim_checks(conn, keys=keys, now=now)) if can_ask else []
        with broker.transaction(conn):
            for payment in due:
                process_payment.send(payment_id=payment.payment_id, action="verify")
        given_up = queries.payments.flag_stuck(conn, keys=keys, now=now, can_ask=can_ask)
        return {"asked about": len(due), "given up": given_up}

    def confirm(conn: Connection, keys: list[str]) -> dict[str, int]:
        queries.payments.yield_to_others(conn)
        return {"confirmed": queries.payments.confirm_paid_appointments(conn, keys=keys, now=now)}

    def finish(conn: Connection, keys: list[str]) -> dict[str, int]:
        queries.payments.yield_to_others(conn)
        return {"finished": queries.payments.finish_payments(conn, keys=keys, now=now)}

    done = work_through(transaction, "payment", queries.payments.waiting, check)
    done.add(work_through(transaction, "payment", queries.payments.unconfirmed, confirm))
    done.add(work_through(transaction, "payment", queries.payments.unfinished, finish))
    return (
        f"{done.counts['asked about']} asked about, {done.counts['given up']} given up, "
        f"{done.counts['confirmed']} appointments confirmed{done.note()}"
    )


def _ask_about(payment: Payment) -> Verdict:
    external_id = _external_id(payment)
    try:
        answer = yookassa.find_payment(external_id)
    except PermanentError as error:
        _note(payment, first_line(error))
        raise
    _note(payment, f"{answer.status}, {answer.amount}")
    if answer.id != payment.external_id:
        return Verdict(doubt="the provider answers for a payment of another id", halts=True)
    if key := disagreement(payment.made_for, answer.metadata or {}):
        return Verdict(doubt=f"the provider made it for another {key}", halts=True)
    refunded = answer.refunded_amount.value if answer.refunded_amount else Decimal(0)
    return replace(judge(_sum(payment), answer.status, answer.amount, refunded), paid_at=answer.captured_at)


def _made_up(payment: Payment) -> bool:
    """Whether a visitor wrote the id that the provider does not know: it is asked about no more."""
    with transaction() as conn:
        made_up: bool = queries.payments.leave_unknown(
            conn, payment_id=payment.id, external_id=payment.external_id, now=clock.now(conn)
        )
    return made_up


def _note(payment: Payment, answer: str) -> None:
    """Keep what the provider said for whoever looks; what follows from it may have to wait."""
    with transaction() as conn:
        queries.payments.note_answer(conn, payment_id=payment.id, answer=answer, now=clock.now(conn))


def _give_back(payment: Payment) -> ProviderRefund:
    try:
        return yookassa.refund(payment.id, _external_id(payment), _sum(payment))
    except PermanentError as error:
        with transaction() as conn:
            queries.payments.flag(conn, payment_id=payment.id, reason=f"refund refused: {error}", now=clock.now(conn))
        raise


def _take_on(payment: Payment, verdict: Verdict, flag: Callable[..., None]) -> None:
    with _changing(payment) as conn:
        for status in verdict.statuses:
            _change_status(conn, payment, status, verdict.paid_at if status == "completed" else None)
        if verdict.doubt:
            note = queries.payments.halt if verdict.halts else flag
            note(conn, payment_id=payment.id, reason=verdict.doubt, now=clock.now(conn))


def _take_on_refund(payment: Payment, answer: ProviderRefund) -> None:
    with _changing(payment) as conn:
        now = clock.now(conn)
        _change_status(conn, payment, "completed")  # it was taken first
        match answer.status:
            case "succeeded":
                _change_status(conn, payment, "refunded", answer.created_at)
            case "pending":  # verify_open_payments asks what becomes of it
                queries.payments.follow_refund(conn, payment_id=payment.id, refund_id=answer.id, now=now)
            case "canceled":
                reason = f"refund canceled: {answer.cancellation_details.reason}"
                queries.payments.forget_refund(conn, payment_id=payment.id)
                queries.payments.flag(conn, payment_id=payment.id, reason=reason, now=now)


def _change_status(conn: Connection, payment: Payment, status: str, happened_at: datetime | None = None) -> None:
    queries.payments.change_status(conn, payment_id=payment.id, status=status, now=clock.now(conn))
    queries.payments.doubt(conn, payment_id=payment.id, status=status, happened_at=happened_at)


@contextmanager
def _changing(payment: Payment) -> Iterator[Connection]:
    """A transaction on a payment that is still as it was read, and that never makes one of the site's fail.

    Raises:
        RetryableError: somebody else is changing the payment, or has changed it while the provider was asked.
    """
    try:
        with transaction() as conn:
            queries.payments.yield_to_others(conn)
            if queries.payments.lock_payment(conn, payment_id=payment.id) != (payment.status, payment.external_id):
                raise RetryableError(f"Payment {payment.id} has changed meanwhile: the answer about it may be older")
            yield conn
    except LockNotAvailable:
        raise RetryableError(f"Payment {payment.id} is being changed by somebody else") from None


def _find(payment_id: UUID) -> Payment:
    with transaction() as conn:
        payment: Payment | None = queries.payments.find_payment(conn, payment_id=str(payment_id))
    if payment is None:
        raise PermanentError(f"There is no payment {payment_id}")
    return payment


def _sum(payment: Payment) -> Sum:
    return Sum(payment.amount, payment.currency)


def _external_id(payment: Payment) -> str:
    if payment.payment_method not in {None, "yookassa"}:
        raise PermanentError(f"Payment {payment.id} was made by {payment.payment_method!r}: only yookassa can be asked")
    if payment.is_anothers:
        raise PermanentError(f"The external_payment_id of payment {payment.id} pays for another row")
    if not payment.external_id:
        raise PermanentError(f"Payment {payment.id} has no external_payment_id: the provider does not know it")
    return payment.external_id
