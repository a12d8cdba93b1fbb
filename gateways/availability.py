"""Whether a provider is there, as all workers know it together: what one finds out spares the others the trouble."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from db import queries
from db.database import single_statements
from db.text import storable
from errors import ProviderAway, ProviderHeld
from log import EventLogger

FRESH_SECONDS = 0.5  # for so long a process believes what it last read
MOST_OUTAGES = 20  # that one message may seem to begin, before it is the message that the provider will not have
TOGETHER = 1000  # messages that are let go in one statement
ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")

events = EventLogger(__name__)


class Look(NamedTuple):
    """What was read of a provider."""

    read_at: float  # on the monotonic clock
    is_away: bool
    is_silent: bool  # its last call got no answer


NEVER = Look(float("-inf"), is_away=False, is_silent=False)
seen: dict[str, Look] = {}  # by provider


def is_away(provider: str) -> bool:
    """Whether the provider is away, or was a moment ago."""
    return _look(provider).is_away


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
        return first if _is_to_probe(first, message_id) else second
    waits: list[ProviderHeld] = []
    for provider in filter(None, (first, second)):
        try:
            ask(provider, message_id, deadline)
        except ProviderHeld as held:
            waits.append(held)
        else:
            return provider
    raise min(waits, key=lambda held: held.seconds)


def _is_to_probe(provider: str, message_id: str) -> bool:
    with single_statements() as conn:
        granted: bool = queries.providers.take_probe(conn, provider=provider, message_id=message_id)
    return granted


def failed(provider: str, message_id: str, reason: str) -> bool:
    """Note that the provider took nothing; whether that may be for its own reasons, and the message's to wait out."""
    return _note("failed", provider, message_id, reason)


def silent(provider: str, message_id: str, reason: str) -> None:
    """Note that the provider did not answer; in a row, that means that it is away."""
    _note("silent", provider, message_id, reason)


def worked(provider: str) -> None:
    """Note that the provider answered, where it was away or silent."""
    if not any(_look(provider)[1:]):
        return
    with single_statements() as conn:
        was_away: bool = queries.providers.worked(conn, provider=provider, worker=_worker())
        seen.pop(provider, None)
        if was_away:
            events.info("provider_back", provider=provider)
            while queries.providers.let_go(conn, provider=provider, limit=TOGETHER):
                pass


def unasked(provider: str, message_id: str) -> None:
    """Leave it to the next message to probe the provider, where this one was to."""
    if is_away(provider):
        with single_statements() as conn:
            queries.providers.unasked(conn, provider=provider, message_id=message_id)


def listen(provider: str, *, reports: bool) -> str:
    """Look whether the provider reports on its mails, if it is to: `heard`, `unheard` or `never heard`."""
    with single_statements() as conn:
        verdict, news = queries.providers.listen(conn, provider=provider, reports=reports, worker=_worker())
        while verdict == "heard" and queries.providers.let_go(conn, provider=provider, limit=TOGETHER):
            pass
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
        if failed(provider, message_id, str(error)):
            ask(provider, message_id)
        raise
    except BaseException:
        unasked(provider, message_id)
        raise
    worked(provider)


def _look(provider: str) -> Look:
    known = seen.get(provider, NEVER)
    if known.read_at <= time.monotonic() - FRESH_SECONDS:
        with single_statements() as conn:
            row = queries.providers.look(conn, provider=provider)
        seen[provider] = known = Look(time.monotonic(), bool(row and row.is_away), bool(row and row.is_silent))
    return known


def _note(how: str, provider: str, message_id: str, reason: str) -> bool:
    reason = storable(ADDRESS.sub("…", reason))  # a server that refuses us may quote whom the mail was for
    with single_statements() as conn:
        begun: int = getattr(queries.providers, how)(
            conn, provider=provider, reason=reason, worker=_worker(), message_id=message_id
        )
    seen.pop(provider, None)
    if begun:
        events.warning("provider_away", provider=provider, reason=reason)
    return begun <= MOST_OUTAGES


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
