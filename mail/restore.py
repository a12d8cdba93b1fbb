"""What a restore makes doubtful: mails that were due before it may have left then, and are held for a person.

db/migrations/clinic/040_notice_restores.sql has the rules, docs/operations.md the procedure.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import psycopg2

from db import queries
from db.database import single_statements, transaction
from errors import BalansityError
from gateways import mail as gateway
from log import EventLogger

BATCH = 500  # deliveries a transaction
MOST_ASKED = 10_000
BY_A_PERSON = "taken as sent before a restore, by a person's decision"
BY_THE_PROVIDER = "sent before a restore: the provider has it"

events = EventLogger(__name__)


def notice() -> bool:
    """Look whether this data has come from elsewhere; whether that was news.

    Raises:
        psycopg2.Error: it could not be seen.
    """
    with single_statements() as conn:
        news: bool = queries.deliveries.notice_restore(conn)
    if news:
        events.warning("database_restored", held="mails that were due by now", remedy="balansity restored")
    return news


def look() -> None:
    """Look as a process starts and now and then, so that bookings of today are not taken for what was due.

    A database that does not answer is told of by whatever needs it; before a mail leaves, it looks once more.
    """
    with suppress(psycopg2.Error, BalansityError):
        notice()


def hold(restored_to: datetime) -> datetime:
    """Hold, from now on, what was due by now and has not left as far as the restored data knows; gives that time."""
    with transaction() as conn:
        noticed_at: datetime = queries.deliveries.note_restore(conn, restored_to=restored_to)
    events.warning("database_restored", restored_to=restored_to.isoformat(), held="mails that were due by now")
    return noticed_at


def release() -> Iterator[tuple[str, str | None]]:
    """Send what is held, batch by batch; gives each delivery's id, and why its mail cannot be sent."""
    while batch := _release_batch():
        yield from batch


def _release_batch() -> list[tuple[str, str | None]]:
    with transaction() as conn:
        return [(row.id, row.refusal) for row in queries.deliveries.release_held(conn, count=BATCH)]


def close() -> int:
    """Note that what is held had been sent; returns how many deliveries that were."""
    total = 0
    while closed := _close(None, BY_A_PERSON):
        total += closed
    return total


def _close(ids: list[str] | None, reason: str) -> int:
    with transaction() as conn:
        return int(queries.deliveries.close_held(conn, ids=ids, count=BATCH, reason=reason))


def ask() -> Iterator[tuple[str, bool]]:
    """Ask the provider for each delivery that is held; one that it has is closed. Gives each id with its answer.

    Raises:
        BalansityError: it cannot be asked, or not now: what it has answered so far is noted.
    """
    with transaction() as conn:
        held = [row.id for row in queries.deliveries.held(conn, count=MOST_ASKED)]
    for name in held:
        known = gateway.knows(name)
        if known:
            _close([name], BY_THE_PROVIDER)
        yield name, known
