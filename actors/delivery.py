"""One e-mail's life: planned in the ledger, handed to the provider, and recorded, so that it goes out once."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from dramatiq.errors import Retry
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case
from psycopg2.pool import PoolError
from pydantic import BaseModel

import settings
from actors import letters
from db import connection, queries
from domain.mail import Mail
from domain.mail_guard import Superseded
from domain.mail_order import MailOrder
from domain.mail_template import TEMPLATES
from errors import OutcomeUnknown, PermanentError, ProviderBusy, RetryableError
from gateways import mail as gateway
from gateways.mail import pace
from log import EventLogger

STALE_SECONDS = 300  # an attempt that another message began so long ago has lost its worker
RECORD_PAUSES_SECONDS = (0.2, 0.5, 1, 2, 4, 8)  # between tries to write an answer down; within the actor's time limit
BUSY_SECONDS = 30  # how soon to look again at a delivery that another message is sending

LOST_CONNECTION = (psycopg2.OperationalError, psycopg2.InterfaceError, PoolError)

deliveries = queries.load("deliveries")
events = EventLogger(__name__)


class Delivery(BaseModel):
    """The ledger's row, as far as it decides what happens next."""

    id: str
    template: str
    state: str
    changed_at: datetime
    suppression: str | None  # why its address gets only essential mail


@dataclass(frozen=True)
class Attempt:
    """One call to the provider that the ledger knows about."""

    delivery_id: str
    number: int
    mail: Mail


@dataclass(frozen=True)
class Wait:
    """Nothing can be done about this delivery before so many seconds have passed."""

    seconds: float


def deliver(order: MailOrder, message_id: str) -> None:
    """Send what `order` asks for, unless the ledger says that it went out already or must not.

    Raises:
        Retry: the provider is busy, or its answer is missing and the template's policy says to send again later.
        RetryableError: the provider did not take it this time.
    """
    _take_turn()
    with connection.transaction() as conn:
        step = _next_step(conn, order, message_id, datetime.now(UTC))
    match step:
        case Attempt():
            _call(step)
        case Wait():
            raise _again("The delivery cannot be sent yet", step.seconds)


def _take_turn() -> None:
    """Wait before the decision, not after it: what is decided then is true when the provider is called."""
    try:
        pace.keep()
    except ProviderBusy as busy:
        raise _again(str(busy), busy.seconds) from None


def _next_step(conn: Connection, order: MailOrder, message_id: str, at: datetime) -> Attempt | Wait | None:
    """Decide under the row's lock; what is returned as an Attempt is `sending` once the transaction commits."""
    delivery = _open(conn, order, message_id, at)
    match delivery.state:
        case "planned":
            return _begin(conn, order, delivery, message_id, at)
        case "sending":
            return Wait(BUSY_SECONDS)
        case "unknown":
            return _after_silence(conn, order, delivery, message_id, at)
    events.info("delivery_repeated", delivery=delivery.id, state=delivery.state)
    return None


def _open(conn: Connection, order: MailOrder, message_id: str, at: datetime) -> Delivery:
    row = deliveries.open(
        conn,
        key=order.key or f"message:{message_id}",
        message_id=message_id,
        template=_shown(order.template),
        recipient=_shown(order.to).strip() or None,
        subject=_shown(order.subject) or None,
        user_id=order.user_id and str(order.user_id),
        stale_seconds=STALE_SECONDS,
        at=at,
    )
    return Delivery.model_validate(row)


def _after_silence(
    conn: Connection, order: MailOrder, delivery: Delivery, message_id: str, at: datetime
) -> Attempt | Wait | None:
    """The provider never answered: wait for news, then send again, or leave it to a person, as the template says."""
    patience = _patience(delivery.template)
    if patience is None:
        events.warning("delivery_left_unknown", delivery=delivery.id, template=delivery.template)
        return None
    remaining = delivery.changed_at + patience - at
    if remaining > timedelta():
        return Wait(remaining.total_seconds())
    return _begin(conn, order, delivery, message_id, at)


def _begin(conn: Connection, order: MailOrder, delivery: Delivery, message_id: str, at: datetime) -> Attempt | None:
    try:
        mail = letters.write(conn, order, delivery.id, at)
    except Superseded as why:
        _settle(conn, delivery, "superseded", str(why), at)
        return None
    except PermanentError as why:
        _settle(conn, delivery, "failed", str(why), at)
        return None
    if delivery.suppression and not TEMPLATES[mail.template].essential:
        reason = f"the address has {delivery.suppression}: `balansity suppressions --lift` lets mail through again"
        _settle(conn, delivery, "suppressed", reason, at)
        return None
    provider = settings.current().email_provider
    number = deliveries.begin_attempt(conn, delivery_id=delivery.id, message_id=message_id, provider=provider, at=at)
    return Attempt(delivery.id, number, mail)


def _settle(conn: Connection, delivery: Delivery, state: str, reason: str, at: datetime) -> None:
    deliveries.settle(conn, delivery_id=delivery.id, state=state, reason=reason, at=at)
    events.info("delivery_settled", delivery=delivery.id, template=delivery.template, state=state)


def _call(attempt: Attempt) -> None:
    """Call the provider and record its answer, whatever it is."""
    try:
        provider_message_id = gateway.send(attempt.mail)
    except OutcomeUnknown as error:
        _record(attempt, "unknown", str(error))
        patience = _patience(attempt.mail.template)
        if patience is not None:
            raise _again(str(error), patience.total_seconds()) from None
    except PermanentError as error:
        _record(attempt, "failed", str(error))
    except ProviderBusy as error:
        _record(attempt, "planned", str(error))
        pace.hold(error.seconds)
        raise _again(str(error), error.seconds) from None
    except RetryableError as error:
        _record(attempt, "planned", str(error))
        raise
    else:
        _record(attempt, "sent", None, provider_message_id)


def _record(attempt: Attempt, outcome: str, answer: str | None, provider_message_id: str | None = None) -> None:
    """Write the answer down; a database that is away for a moment must not make a sent mail an unknown one."""
    finished_at = datetime.now(UTC)
    for pause in RECORD_PAUSES_SECONDS:
        try:
            with connection.single_statements() as conn:
                deliveries.finish_attempt(
                    conn,
                    delivery_id=attempt.delivery_id,
                    number=attempt.number,
                    outcome=outcome,
                    answer=answer,
                    provider_message_id=provider_message_id,
                    at=finished_at,
                )
            break
        except LOST_CONNECTION as error:
            events.warning("delivery_answer_not_recorded", delivery=attempt.delivery_id, again_in_seconds=pause)
            lost = error
            time.sleep(pause)
    else:
        raise lost
    events.info(
        "delivery_answered",
        delivery=attempt.delivery_id,
        template=attempt.mail.template,
        attempt=attempt.number,
        outcome=outcome,
    )


def _patience(template: str) -> timedelta | None:
    """How long to wait for news of an unanswered mail before it is sent again; None: it is not."""
    minutes = TEMPLATES[template].resend_after_minutes if template in TEMPLATES else None
    return None if minutes is None else timedelta(minutes=minutes)


def _again(why: str, seconds: float) -> Retry:
    return Retry(why, delay=int(seconds * 1000))


def _shown(value: Any) -> str:
    """What the ledger keeps of a value of unknown kind; PostgreSQL takes no NUL and no half of a surrogate pair."""
    return "" if value is None else str(value).replace("\0", "").encode(errors="replace").decode()[:500]
