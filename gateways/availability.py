"""Whether a provider is there, as all workers know it together: what one finds out spares the others the trouble."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from db import queries
from db.database import single_statements
from db.text import storable
from errors import ProviderAway, ProviderHeld
from log import EventLogger

FRESH_SECONDS = 0.5  # for so long a process believes what it last read

events = EventLogger(__name__)
seen: dict[str, tuple[float, bool]] = {}  # by provider: when it was read (monotonic), and whether it was away


def is_away(provider: str) -> bool:
    """Whether the provider is away, or was a moment ago."""
    read_at, away = seen.get(provider, (-FRESH_SECONDS, False))
    if read_at <= time.monotonic() - FRESH_SECONDS:
        with single_statements() as conn:
            away = queries.providers.is_away(conn, provider=provider)
        seen[provider] = time.monotonic(), away
    return away


def ask(provider: str, message_id: str, deadline: datetime | None = None) -> None:
    """Let a message of ours call a provider that was away, if it is the one to probe it.

    Raises:
        ProviderHeld: it is not; the message is held, and is made due when the provider is back.
    """
    with single_statements() as conn:
        wait: timedelta | None = queries.providers.ask(
            conn, provider=provider, message_id=message_id, deadline=deadline
        )
    if wait is not None:
        raise ProviderHeld(f"{provider} is away", max(wait.total_seconds(), 0))


def way_out(first: str, second: str | None, message_id: str, deadline: datetime | None) -> str:
    """The provider that a message may call: the first unless it is away, then the second if the message has one.

    Raises:
        ProviderHeld: both are away, and it probes neither; the message is held for whichever is back sooner.
    """
    if not is_away(first):
        return first
    if second and not is_away(second):
        return first if _is_to_probe(first) else second
    waits: list[ProviderHeld] = []
    for provider in filter(None, (first, second)):
        try:
            ask(provider, message_id, deadline)
        except ProviderHeld as held:
            waits.append(held)
        else:
            return provider
    raise min(waits, key=lambda held: held.seconds)


def _is_to_probe(provider: str) -> bool:
    with single_statements() as conn:
        granted: bool = queries.providers.take_probe(conn, provider=provider)
    return granted


def failed(provider: str, reason: str) -> bool:
    """Note that the provider took nothing; whether that was news."""
    with single_statements() as conn:
        news: bool = queries.providers.failed(conn, provider=provider, reason=storable(reason), worker=_worker())
    seen.pop(provider, None)
    if news:
        events.warning("provider_away", provider=provider, reason=reason)
    return news


def worked(provider: str) -> None:
    """Note that the provider answered, where it was away."""
    if is_away(provider):
        with single_statements() as conn:
            news: bool = queries.providers.worked(conn, provider=provider, worker=_worker())
        seen.pop(provider, None)
        if news:
            events.info("provider_back", provider=provider)


def unasked(provider: str) -> None:
    """Leave it to the next message to probe the provider, where this one was to."""
    if is_away(provider):
        with single_statements() as conn:
            queries.providers.unasked(conn, provider=provider)


def listen(provider: str, *, reports: bool) -> str:
    """Look whether the provider reports on the mails that it accepts, if it is to: `heard`, `silent`, `never heard`."""
    with single_statements() as conn:
        verdict, news = queries.providers.listen(conn, provider=provider, reports=reports, worker=_worker())
    if news:
        seen.pop(provider, None)
        log = events.info if verdict == "heard" else events.warning
        log("provider_listened_to", provider=provider, verdict=verdict)
    return str(verdict)


@contextmanager
def reaching(provider: str, message_id: str) -> Iterator[None]:
    """A message's work with a provider, held while that is away.

    Raises:
        ProviderHeld: it is away; the message has spent nothing.
    """
    if is_away(provider):
        ask(provider, message_id)
    try:
        yield
    except ProviderAway as error:
        failed(provider, str(error))
        ask(provider, message_id)
        raise
    except BaseException:
        unasked(provider)
        raise
    worked(provider)


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
