"""The broker's own housekeeping: messages leave when nobody will ask for them any more."""

from datetime import datetime, timedelta

import dramatiq

import settings
from actors.runs import run_slot_in_parts
from db import queries
from db.database import transaction
from errors import PermanentError

DONE = timedelta(days=7)
DEAD = timedelta(days=90)  # a dead letter waits for a person as long as that
ARCHIVED = timedelta(days=30)  # pgmq's kept copies
BATCH = 5_000  # rows; short transactions keep workers and vacuum going


@dramatiq.actor(
    queue_name="appointments", max_retries=5, min_backoff=60_000, time_limit=600_000, throws=(PermanentError,)
)
def purge_messages(slot: str) -> None:
    """Delete finished messages, dead letters, pgmq's archive, results and events past their time, batch by batch."""
    run_slot_in_parts("purge-messages", slot, purge)


def purge(now: datetime) -> str:
    """Purge in a transaction a batch, so that none waits for another."""
    total = 0
    while purged := _purge_batch(now):
        total += purged
    return f"{total} messages purged"


def _purge_batch(now: datetime) -> int:
    kept = timedelta(days=settings.current().analytics_retention_days)
    with transaction() as conn:
        return int(
            queries.messages.purge(conn, done_before=now - DONE, dead_before=now - DEAD, batch=BATCH)
            + queries.messages.purge_archives(conn, before=now - ARCHIVED, batch=BATCH)
            + queries.messages.purge_expired(conn, batch=BATCH)
            + queries.analytics.purge(conn, before=now - kept, batch=BATCH)
        )
