"""One e-mail's way out: the letter is written, then the ledger decides under a lock whether it may go."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from actors import attempt, letters
from actors.attempt import Attempt, again
from db import connection, queries
from domain.mail import Mail
from domain.mail_guard import Superseded
from domain.mail_order import MailOrder
from domain.mail_template import is_essential, patience
from errors import PermanentError, ProviderBusy
from gateways import mail as gateway
from gateways.mail import pace
from log import EventLogger, first_line

LONGEST_SHOWN = 500  # characters that the ledger keeps of a value which may be anything

deliveries = queries.load("deliveries")
events = EventLogger(__name__)


class Refusal(NamedTuple):
    """Why there is no letter: the state in which the delivery ends, and the reason for a person."""

    state: str | None = None
    reason: str | None = None


def deliver(order: MailOrder, message_id: str) -> None:
    """Send what `order` asks for, unless the ledger says that it went out already or must not.

    Raises:
        Retry: it is not the mail's time yet.
        RetryableError: the provider did not take it this time.
    """
    _take_turn()
    at = datetime.now(UTC)
    with connection.single_statements() as conn:
        letter = _letter(conn, order, at)
        delivery_id, state, number, wait = _begin(conn, order, letter, message_id, at)
    if number is not None and isinstance(letter, Mail):
        attempt.call(Attempt(number, replace(letter, delivery_id=delivery_id)))
    elif wait is not None:
        raise again(f"The delivery is {state}", wait.total_seconds())
    else:
        events.info("delivery_not_sent", delivery=delivery_id, state=state)


def _take_turn() -> None:
    """Wait before the decision, not after it: what is decided then is true when the provider is called."""
    try:
        pace.keep()
    except ProviderBusy as busy:
        raise again(str(busy), busy.seconds) from None


def _letter(conn: Connection, order: MailOrder, at: datetime) -> Mail | Refusal:
    try:
        return letters.write(conn, order, at)
    except Superseded as why:
        return Refusal("superseded", str(why))
    except PermanentError as why:
        return Refusal("failed", str(why))
    except (ArithmeticError, ValueError) as why:  # a value that no check foresaw; it would be the same next time
        return Refusal("failed", f"the letter cannot be written: {type(why).__name__}: {first_line(why)}")


def _begin(conn: Connection, order: MailOrder, letter: Mail | Refusal, message_id: str, at: datetime) -> Any:
    """The ledger's decision; with a number, the delivery is `sending`, committed, and this attempt is ours."""
    refusal = letter if isinstance(letter, Refusal) else Refusal()
    return deliveries.begin(
        conn,
        key=order.key or f"message:{message_id}",
        message_id=message_id,
        template=_shown(order.template),
        recipient=_shown(order.to).strip() or None,
        subject=_shown(order.subject) or None,
        user_id=order.user_id and str(order.user_id),
        refusal=refusal.state,
        reason=refusal.reason,
        essential=is_essential(order.template),
        patience=patience(order.template),
        provider=gateway.provider(),
        at=at,
    )


def _shown(value: Any) -> str:
    """What the ledger keeps of a value of unknown kind; PostgreSQL takes no NUL and no half of a surrogate pair."""
    return "" if value is None else str(value).replace("\0", "").encode(errors="replace").decode()[:LONGEST_SHOWN]
