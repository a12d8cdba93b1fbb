"""The broker's own housekeeping: messages leave when nobody will ask for them any more."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import dramatiq

import settings
from actors.runs import run_slot
from broker import broker
from db import queries
from db.batches import Done, Page, hexadecimal, work_through
from db.connection import Connection
from db.database import transaction
from errors import PermanentError
from mail import retention

MINUTES = timedelta(days=8)  # a week can be held against the one before
MOST_MINUTES = timedelta(minutes=10)  # that are kept in one transaction


@dramatiq.actor(
    queue_name="appointments", max_retries=5, min_backoff=60_000, time_limit=600_000, throws=(PermanentError,)
)
def purge_messages(slot: str) -> None:
    """Drop days of finished messages and months of mails, and delete dead letters, pgmq's archive, results and events.

    Each after its time. The tables of days and months to come are made ahead.

    What is still plain, for SQL sent it and no worker has claimed it, is encrypted where MESSAGE_KEYS is set.
    """
    run_slot("purge-messages", slot, purge)


@dramatiq.actor(queue_name="appointments", max_retries=5, min_backoff=1_000, max_backoff=60_000, time_limit=60_000)
def keep_minutes(slot: str) -> None:
    """Keep what ended in the minutes that have passed: the figures of pages, commands and Prometheus."""
    run_slot("keep-minutes", slot, keep)


def keep(now: datetime) -> str:
    """Keep them few by few, so that none takes long after a pause; what became of deliveries is counted with them."""
    _catch_up(queries.deliveries.count_changed)
    until = _catch_up(queries.messages.keep_minutes)
    with transaction() as conn:
        purged = queries.messages.purge_minutes(conn, before=now - MINUTES)
    return f"kept until {until:%H:%M} UTC" + (f", {purged} rows purged" if purged else "")


def _catch_up(keep_more: Callable[..., datetime]) -> datetime:
    """Keep a few minutes more until none is left; gives up to when they are kept."""
    before, until = None, None
    while until is None or until != before:
        with transaction() as conn:
            before, until = until, keep_more(conn, most=MOST_MINUTES)
    return until


def purge(now: datetime) -> str:
    """Purge kind by kind, in a transaction a batch; what cannot be deleted is named."""
    kept = settings.current()
    finished_before = now - timedelta(days=kept.message_retention_days)
    dead_before = now - timedelta(days=kept.dead_letter_retention_days)
    archived_before = now - timedelta(days=kept.archive_retention_days)
    messages, done = queries.messages, Done()
    done.add(work_through(transaction, "day ahead", messages.missing_days, _make_days))
    over = finished_before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    done.add(work_through(transaction, "day", partial(messages.old_days, before=over), _drop_days))
    strays = partial(messages.purge, state="done")
    done.add(_purge("message", messages.strays, strays, before=over))
    for kind, state in (("dead letter", "rejected"), ("cancelled message", "cancelled")):
        done.add(_purge(kind, messages.given_up, messages.purge, state=state, before=dead_before))
    for pgmq_queue in _routed_queues():
        kind, before = f"message of {pgmq_queue}", archived_before
        done.add(_purge(kind, messages.archived, messages.purge_archive, pgmq_queue=pgmq_queue, before=before))
    with transaction() as conn:
        queries.pauses.purge(conn)
        queries.running.end_looks(conn)
    done.add(_purge("result", queries.results.expired, queries.results.purge))
    done.add(_purge("counter", queries.limits.expired, queries.limits.purge))
    done.add(_purge("group", queries.groups.stale, queries.groups.purge, before=dead_before))
    old, purged = queries.analytics.old, queries.analytics.purge
    counted_before = now - timedelta(days=kept.analytics_retention_days)
    done.add(_purge("event", old, purged, named=hexadecimal, before=counted_before))
    done.add(broker.vault.seal_all(transaction))
    done.add(retention.keep_months(now))
    months = f", {done.counts['months']} months of the ledger dropped" if done.counts["months"] else ""
    encrypted = f", {done.counts['encrypted']} encrypted" if done.counts["encrypted"] else ""
    return f"{done.counts['purged']} messages purged{months}{encrypted}{done.note()}"


def _make_days(conn: Connection, days: list[date]) -> dict[str, int]:
    return {"made": queries.messages.make_days(conn, keys=days)}


def _drop_days(conn: Connection, days: list[date]) -> dict[str, int]:
    return {"purged": queries.messages.drop_days(conn, keys=days)}


def _routed_queues() -> list[str]:
    with transaction() as conn:
        return [row.pgmq_queue for row in queries.messages.routed_queues(conn)]


def _purge(kind: str, page: Page, delete: Callable[..., int], named: Callable[[Any], str] = str, **which: Any) -> Done:
    """Delete what `page` finds of which; `delete` looks again."""

    def work(conn: Connection, keys: list[Any]) -> dict[str, int]:
        return {"purged": delete(conn, keys=keys, **which)}

    return work_through(transaction, kind, partial(page, **which), work, named=named)
