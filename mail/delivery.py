"""One e-mail's way out: the letter is written, then the ledger decides under a lock whether it may go."""

from dataclasses import replace
from typing import Any, NamedTuple

from db import queries
from db.connection import Connection
from db.database import single_statements
from db.text import storable
from errors import PermanentError, ProviderBusy
from gateways import mail as gateway
from gateways.mail.envelope import Mail
from log import EventLogger, first_line
from mail import attempt, letter, pace
from mail.attempt import Attempt, Wait
from mail.guard import Superseded
from mail.order import MailOrder
from mail.template import is_essential, patience

LONGEST_SHOWN = 500  # characters that the ledger keeps of a value which may be anything

events = EventLogger(__name__)


class Refusal(NamedTuple):
    """Why there is no letter: the state in which the delivery ends, and the reason for a person."""

    state: str | None = None
    reason: str | None = None


def deliver(order: MailOrder, message_id: str, pgmq_key: str | None = None, *, last_try: bool = False) -> None:
    """Send what `order` asks for, unless the ledger says that it went out already or must not.

    A message that came through pgmq has a `pgmq_key`, for orders without a key of their own. What fails on the
    `last_try` will not be tried again.

    Raises:
        Wait: it is not the mail's time yet.
        Retry, RetryableError: the provider did not take it this time.
    """
    entry = ledger_entry(order, message_id, pgmq_key)
    try:
        _take_turn(entry)
        _deliver(order, entry)
    except Wait:
        raise
    except BaseException as error:  # Dramatiq counts its interrupts as failures too
        if last_try:
            _give_up(entry, error)
        raise


def ledger_entry(order: MailOrder, message_id: str, pgmq_key: str | None = None) -> dict[str, Any]:
    """What the ledger keeps of an order; its key is the order's own, or else that of its message."""
    return {
        "key": order.key or pgmq_key or f"message:{message_id}",
        "numbered": order.key is None and pgmq_key is not None,
        "message_id": message_id,
        "template": _shown(order.template),
        "recipient": _shown(order.to).strip() or None,
        "subject": _shown(order.subject) or None,
        "user_id": order.user_id and str(order.user_id),
    }


def _deliver(order: MailOrder, entry: dict[str, Any]) -> None:
    with single_statements() as conn:
        letter = _letter(conn, order)
    with single_statements() as conn:
        delivery_id, state, number, wait = _begin(conn, order, entry, letter)
    if number is not None and isinstance(letter, Mail):
        attempt.call(Attempt(number, replace(letter, delivery_id=delivery_id)))
    elif wait is not None:
        raise Wait(f"The delivery is {state}", wait.total_seconds())
    else:
        events.info("delivery_not_sent", delivery=delivery_id, state=state)


def _take_turn(entry: dict[str, Any]) -> None:
    """Wait before the decision, not after it: what is decided then is true when the provider is called."""
    try:
        pace.keep()
    except ProviderBusy as busy:
        with single_statements() as conn:
            queries.deliveries.plan(conn, **entry)  # the wait may be long: the ledger knows of it
        raise Wait(str(busy), busy.seconds) from None


def _letter(conn: Connection, order: MailOrder) -> Mail | Refusal:
    try:
        return letter.write(conn, order)
    except Superseded as why:
        return Refusal("superseded", str(why))
    except PermanentError as why:
        return Refusal("failed", str(why))
    except (ArithmeticError, ValueError) as why:  # a value that no check foresaw; it would be the same next time
        return Refusal("failed", f"the letter cannot be written: {type(why).__name__}: {first_line(why)}")


def _begin(conn: Connection, order: MailOrder, entry: dict[str, Any], letter: Mail | Refusal) -> Any:
    """The ledger's decision; with a number, the delivery is `sending`, committed, and this attempt is ours."""
    refusal = letter if isinstance(letter, Refusal) else Refusal()
    appointment = letter.appointment if isinstance(letter, Mail) else None
    return queries.deliveries.begin(
        conn,
        **entry,
        refusal=refusal.state,
        reason=refusal.reason and storable(refusal.reason),
        appointment_id=appointment and str(appointment.id),
        scheduled_at=appointment and appointment.scheduled_at,
        essential=is_essential(order.template),
        patience=patience(order.template),
        provider=gateway.provider(),
    )


def _give_up(entry: dict[str, Any], error: BaseException) -> None:
    """Close the delivery with the provider's last answer, or where there is none with the kind of error."""
    with single_statements() as conn:
        queries.deliveries.give_up(conn, **entry, reason=type(error).__name__)


def _shown(value: Any) -> str:
    """What the ledger keeps of a value of unknown kind."""
    return "" if value is None else storable(str(value))[:LONGEST_SHOWN]
