"""One e-mail's way out: the ledger decides under a lock whether it may go, so that it goes once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case
from pydantic import BaseModel

import settings
from actors import attempt, letters
from actors.attempt import Attempt, again
from db import connection, queries
from domain.mail_guard import Superseded
from domain.mail_order import MailOrder
from domain.mail_template import TEMPLATES, patience
from errors import PermanentError, ProviderBusy
from gateways.mail import pace
from log import EventLogger

STALE_SECONDS = 300  # an attempt that another message began so long ago has lost its worker
BUSY_SECONDS = 30  # how soon to look again at a delivery that another message is sending
LONGEST_SHOWN = 500  # characters that the ledger keeps of a value which may be anything

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
class Wait:
    """Nothing can be done about a delivery before so many seconds have passed."""

    seconds: float


def deliver(order: MailOrder, message_id: str) -> None:
    """Send what `order` asks for, unless the ledger says that it went out already or must not.

    Raises:
        Retry: it is not the mail's time yet.
        RetryableError: the provider did not take it this time.
    """
    _take_turn()
    with connection.transaction() as conn:
        step = _next_step(conn, order, message_id, datetime.now(UTC))
    match step:
        case Attempt():
            attempt.call(step)
        case Wait():
            raise again("The delivery cannot be sent yet", step.seconds)


def _take_turn() -> None:
    """Wait before the decision, not after it: what is decided then is true when the provider is called."""
    try:
        pace.keep()
    except ProviderBusy as busy:
        raise again(str(busy), busy.seconds) from None


def _next_step(conn: Connection, order: MailOrder, message_id: str, at: datetime) -> Attempt | Wait | None:
    """Decide under the row's lock; with an Attempt the delivery is `sending` once the transaction commits."""
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
    wait = patience(delivery.template)
    if wait is None:
        events.warning("delivery_left_unknown", delivery=delivery.id, template=delivery.template)
        return None
    remaining = delivery.changed_at + wait - at
    if remaining > timedelta():
        return Wait(remaining.total_seconds())
    return _begin(conn, order, delivery, message_id, at)


def _begin(conn: Connection, order: MailOrder, delivery: Delivery, message_id: str, at: datetime) -> Attempt | None:
    try:
        mail = letters.write(conn, order, delivery.id, at)
    except Superseded as why:
        return _settle(conn, delivery, "superseded", str(why), at)
    except PermanentError as why:
        return _settle(conn, delivery, "failed", str(why), at)
    if delivery.suppression and not TEMPLATES[mail.template].essential:
        reason = f"the address has {delivery.suppression}: `balansity suppressions --lift` lets mail through again"
        return _settle(conn, delivery, "suppressed", reason, at)
    provider = settings.current().email_provider
    number = deliveries.begin_attempt(conn, delivery_id=delivery.id, message_id=message_id, provider=provider, at=at)
    return Attempt(delivery.id, number, mail)


def _settle(conn: Connection, delivery: Delivery, state: str, reason: str, at: datetime) -> Attempt | None:
    """End the delivery without an attempt."""
    deliveries.settle(conn, delivery_id=delivery.id, state=state, reason=reason, at=at)
    events.info("delivery_settled", delivery=delivery.id, template=delivery.template, state=state)
    return None


def _shown(value: Any) -> str:
    """What the ledger keeps of a value of unknown kind; PostgreSQL takes no NUL and no half of a surrogate pair."""
    return "" if value is None else str(value).replace("\0", "").encode(errors="replace").decode()[:LONGEST_SHOWN]
