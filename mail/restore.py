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
from log import EventLogger

BATCH = 500  # deliveries a transaction

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
    while closed := _close_batch():
        total += closed
    return total


def _close_batch() -> int:
    with transaction() as conn:
        return int(queries.deliveries.close_held(conn, count=BATCH))
