"""One mail's way out: prepare its letter, let the ledger decide under a lock whether it may go, call the provider."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import NamedTuple

import settings
from db.database import single_statements
from errors import PermanentError, ProviderAway, ProviderBusy, ProviderHeld
from gateways import availability, report_storage
from gateways import mail as gateway
from log import EventLogger, first_line
from mail import attempt, ledger, letter, night, pace
from mail.attempt import Attempt, Held, Wait
from mail.guard import Superseded, deadline
from mail.ledger import Entry, Refusal
from mail.letter import Letter
from mail.order import MailOrder

events = EventLogger(__name__)


class Draft(NamedTuple):
    """A mail before the decision: its entry in the ledger, and its letter or why there is none."""

    entry: Entry
    letter: Letter | Refusal


def deliver(
    order: MailOrder,
    message_id: str,
    pgmq_key: str | None = None,
    *,
    held_since: datetime | None = None,
    last_try: bool = False,
) -> None:
    """Send what `order` asks for, unless the ledger says that it went out already or must not.

    A message that came through pgmq has a `pgmq_key`, for orders without a key of their own. What an outage has
    `held_since` then may have to wait for the morning. What fails on the `last_try` will not be tried again.

    Raises:
        Wait: it is not the mail's time yet; Held: for its provider is away.
        Retry, RetryableError: the provider did not take it this time.
    """
    entry = Entry.of(order, message_id, pgmq_key)
    way = None
    try:
        if held_since is not None:
            _let_sleep(prepare(order, entry), held_since)
        way = _way_out(order, entry)
        while way:
            pace.keep(way)  # before the decision: what is decided then is true when the provider is called
            way = _send(prepare(order, entry), way)
    except ProviderBusy as busy:
        if way and not isinstance(busy, ProviderHeld):
            availability.unasked(way, message_id)
        ledger.plan(entry)  # the wait may be long: the ledger knows of it
        raise (Held if isinstance(busy, ProviderHeld) else Wait)(str(busy), busy.seconds) from None
    except Wait:
        raise
    except BaseException as error:  # Dramatiq counts its interrupts as failures too
        if last_try:
            ledger.give_up(entry, type(error).__name__)
        raise


def _let_sleep(draft: Draft, held_since: datetime) -> None:
    """Keep what an outage has delayed for long from the family's night.

    Raises:
        Wait: until the night's end; meanwhile it waits for no provider, and probes none.
    """
    if isinstance(draft.letter, Letter):
        try:
            night.let_sleep(draft.entry, draft.letter, _deadline(draft), held_since)
        except Wait:
            availability.unasked(gateway.provider(), draft.entry.message_id)
            raise


def _way_out(order: MailOrder, entry: Entry) -> str | None:
    """The provider to call; while it is away, a mail that has no reason any more ends without one: None.

    Raises:
        ProviderHeld: there is no way out now, and this mail does not probe for one.
    """
    first = gateway.provider()
    if not availability.is_away(first):
        return first
    draft = prepare(order, entry)
    if isinstance(draft.letter, Refusal):
        decide(draft, first)
        availability.unasked(first, entry.message_id)
        return None
    return _open_way(draft)


def _open_way(draft: Draft) -> str:
    """As `_way_out`, for a written letter: one with a deadline has a second way, unless the first may have taken it."""
    limit, second = _deadline(draft), gateway.fallback()
    if limit is None or second is None or not ledger.is_untaken(draft.entry, second):
        second = None
    return availability.way_out(gateway.provider(), second, draft.entry.message_id, limit)


def _send(draft: Draft, way: str) -> str | None:
    """Send a mail if the ledger allows it; gives the way out to try instead of one that turned out to be closed."""
    allowed = None
    try:
        allowed = decide(draft, way)
    finally:
        if allowed is None:
            availability.unasked(way, draft.entry.message_id)
    if allowed is None:
        return None
    try:
        attempt.call(allowed, draft.entry.message_id)
    except ProviderAway as error:
        may_wait = availability.failed(way, draft.entry.message_id, str(error))
        if may_wait and (other := _open_way(draft)) != way:
            return other
        raise
    return None


def _deadline(draft: Draft) -> datetime | None:
    if isinstance(draft.letter, Letter) and (about := draft.letter.appointment):
        return deadline(draft.letter.template, about)
    return None


def prepare(order: MailOrder, entry: Entry) -> Draft:
    """Write the letter; one that cannot be written, or has no reason any more, is refused."""
    try:
        with _reaching_reports(order, entry), single_statements() as conn:
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


def _reaching_reports(order: MailOrder, entry: Entry) -> AbstractContextManager[None]:
    """The storage of reports, where the mail brings one."""
    if order.report_id is None or not settings.current().report_storage_url:
        return nullcontext()
    return availability.reaching(report_storage.NAME, entry.message_id)


def decide(draft: Draft, provider: str) -> Attempt | None:
    """The attempt at a provider that the ledger allows; None: it says that there is nothing to send.

    Raises:
        Wait: it is to be asked again.
    """
    refusal = draft.letter if isinstance(draft.letter, Refusal) else None
    decision = ledger.begin(draft.entry, refusal, provider)
    if decision.wait is not None:
        raise Wait(f"The delivery is {decision.state}", decision.wait.total_seconds())
    if isinstance(draft.letter, Letter) and decision.number is not None:
        return Attempt(decision.number, draft.letter.addressed(decision.delivery_id, decision.edition), provider)
    events.info("delivery_not_sent", delivery=decision.delivery_id, state=decision.state)
    return None
