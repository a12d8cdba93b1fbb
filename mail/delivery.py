"""One mail's way out: prepare its letter, let the ledger decide under a lock whether it may go, call the provider."""

from typing import NamedTuple

from db.database import single_statements
from errors import PermanentError, ProviderBusy
from gateways import mail as gateway
from log import EventLogger, first_line
from mail import attempt, ledger, letter, pace
from mail.attempt import Attempt, Wait
from mail.guard import Superseded
from mail.ledger import Entry, Refusal
from mail.letter import Letter
from mail.order import MailOrder

events = EventLogger(__name__)


class Draft(NamedTuple):
    """A mail before the decision: its entry in the ledger, and its letter or why there is none."""

    entry: Entry
    letter: Letter | Refusal


def deliver(order: MailOrder, message_id: str, pgmq_key: str | None = None, *, last_try: bool = False) -> None:
    """Send what `order` asks for, unless the ledger says that it went out already or must not.

    A message that came through pgmq has a `pgmq_key`, for orders without a key of their own. What fails on the
    `last_try` will not be tried again.

    Raises:
        Wait: it is not the mail's time yet.
        Retry, RetryableError: the provider did not take it this time.
    """
    entry = Entry.of(order, message_id, pgmq_key)
    try:
        _take_turn(entry)
        if allowed := decide(prepare(order, entry)):
            attempt.call(allowed)
    except Wait:
        raise
    except BaseException as error:  # Dramatiq counts its interrupts as failures too
        if last_try:
            ledger.give_up(entry, type(error).__name__)
        raise


def prepare(order: MailOrder, entry: Entry) -> Draft:
    """Write the letter; one that cannot be written, or has no reason any more, is refused."""
    try:
        with single_statements() as conn:
            written = letter.write(conn, order)
    except Superseded as why:
        return Draft(entry, Refusal("superseded", str(why)))
    except PermanentError as why:
        return Draft(entry, Refusal("failed", str(why)))
    except (ArithmeticError, ValueError) as why:  # a value that no check foresaw; it would be the same next time
        return Draft(entry, Refusal("failed", f"the letter cannot be written: {type(why).__name__}: {first_line(why)}"))
    if about := written.appointment:
        entry = entry._replace(appointment_id=str(about.id), scheduled_at=about.scheduled_at)
    return Draft(entry, written)


def decide(draft: Draft) -> Attempt | None:
    """The attempt that the ledger allows; None: it says that there is nothing to send.

    Raises:
        Wait: it is to be asked again.
    """
    refusal = draft.letter if isinstance(draft.letter, Refusal) else None
    decision = ledger.begin(draft.entry, refusal, gateway.provider())
    if decision.wait is not None:
        raise Wait(f"The delivery is {decision.state}", decision.wait.total_seconds())
    if isinstance(draft.letter, Letter) and decision.number is not None:
        return Attempt(decision.number, draft.letter.addressed(decision.delivery_id))
    events.info("delivery_not_sent", delivery=decision.delivery_id, state=decision.state)
    return None


def _take_turn(entry: Entry) -> None:
    """Wait before the decision, not after it: what is decided then is true when the provider is called."""
    try:
        pace.keep()
    except ProviderBusy as busy:
        ledger.plan(entry)  # the wait may be long: the ledger knows of it
        raise Wait(str(busy), busy.seconds) from None
