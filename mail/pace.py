"""The pace of mail: one line a provider for all workers, EMAIL_RATE_LIMIT mails a second.

A process takes a few places of the line at a time and hands them to its threads: together no more than the limit,
and one small statement for many mails.
"""

import time
from collections import deque
from datetime import timedelta
from threading import Lock

import settings
from db import queries
from db.database import single_statements
from errors import ProviderBusy

PATIENCE = timedelta(seconds=10)  # a longer wait is spent in the queue, not in a worker's thread
STOCK_SECONDS = 0.05  # of the line that a process takes at once, and how long it may use a place after its time

stock: dict[str, deque[float]] = {}  # by provider, on the monotonic clock
stocking = Lock()


def keep(provider: str) -> None:
    """Wait for this mail's turn at its provider.

    Raises:
        ProviderBusy: it is too far off.
    """
    if provider == "file":
        return
    with stocking:
        places = stock.setdefault(provider, deque())
        _throw_away_what_is_past(places)
        if not places:
            places.extend(_take_places(provider))
        place = places.popleft()
    if (seconds := place - time.monotonic()) > 0:
        time.sleep(seconds)


def hold(provider: str, seconds: float) -> None:
    """Let nobody send by this provider for so long: it has asked for that."""
    with single_statements() as conn:
        queries.pace.hold(conn, provider=provider, pause=timedelta(seconds=seconds))
    with stocking:
        stock.pop(provider, None)


def _throw_away_what_is_past(places: deque[float]) -> None:
    """A place that was not used in its time would come on top of the limit, or into a pause that came meanwhile."""
    oldest = time.monotonic() - STOCK_SECONDS
    while places and places[0] < oldest:
        places.popleft()


def _take_places(provider: str) -> list[float]:
    limit = settings.current().email_rate_limit
    count = max(1, int(limit * STOCK_SECONDS))
    with single_statements() as conn:
        wait: timedelta = queries.pace.take_places(
            conn,
            provider=provider,
            places=count,
            spacing=timedelta(seconds=1 / limit),
            patience=PATIENCE,
        )
    if wait > PATIENCE:
        raise ProviderBusy("The provider's limit is used up", wait.total_seconds())
    first = time.monotonic() + wait.total_seconds()  # late by the way of the answer, and never early
    return [first + number / limit for number in range(count)]
