"""Messages that need a provider are held while it is away, and that is no try."""

from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq.errors import Retry
from dramatiq.middleware import CurrentMessage

from errors import ProviderHeld
from gateways import availability


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
        message.options["retries"] = message.options.get("retries", 0) - 1  # Dramatiq is about to add one
        raise Retry(str(held), delay=int(held.seconds * 1000)) from None
