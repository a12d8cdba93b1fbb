"""Messages that need a provider are held while it is away, and that is no try."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dramatiq
from dramatiq.errors import Retry
from dramatiq.middleware import CurrentMessage

from db import clock
from db.database import single_statements
from errors import ProviderHeld
from gateways import availability

HELD_SINCE = "held_since"  # a message's option: when an outage first held it up


@contextmanager
def reaching(provider: str) -> Iterator[None]:
    """The running message's work with a provider.

    Raises:
        Retry: the provider is away; the message is due again once it is back.
    """
    message = CurrentMessage.get_current_message()
    if message is None:  # the actor was called as a function
        yield
        return
    try:
        with availability.reaching(provider, message.message_id):
            yield
    except ProviderHeld as held:
        note_held(message)
        raise Retry(str(held), delay=int(held.seconds * 1000)) from None


def note_held(message: dramatiq.Message[Any]) -> None:
    """Count the run that was held as no try, and remember since when an outage has held the message up."""
    message.options["retries"] = message.options.get("retries", 0) - 1  # Dramatiq is about to add one
    if HELD_SINCE not in message.options:
        with single_statements() as conn:
            message.options[HELD_SINCE] = clock.now(conn).isoformat()


def held_since(message: dramatiq.Message[Any]) -> datetime | None:
    """Since when an outage has held a message up, or what it is the outcome of."""
    since = message.options.get(HELD_SINCE)
    return datetime.fromisoformat(since) if since else None


def held_on() -> dict[str, Any]:
    """The options of a message that the running one sends: what it was held up by has held up that one, too."""
    message = CurrentMessage.get_current_message()
    since = message and message.options.get(HELD_SINCE)
    return {HELD_SINCE: since} if since else {}
