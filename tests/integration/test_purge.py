"""Finished messages leave after their time, and nothing else does."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

import actors
import settings
from actors.messages import purge, purge_messages
from db import queries
from db.connection import Connection
from tests.clinic import Clinic
from tests.waiting import until


@pytest.fixture(autouse=True)
def published(database: str) -> None:
    actors.publish(database)


def add(clinic: Clinic, state: str, days: int) -> None:
    clinic.rows(
        "INSERT INTO dramatiq.queue (message_id, state, mtime, message) "
        "VALUES (gen_random_uuid(), %s, now() - make_interval(days => %s), '{}')",
        state,
        days,
    )


def test_only_what_is_old_enough_for_its_state_is_purged(clinic: Clinic) -> None:
    kept = {("done", 6), ("rejected", 89), ("queued", 400), ("consumed", 400)}
    for state, days in (*kept, ("done", 8), ("rejected", 91)):
        add(clinic, state, days)
    assert purge(datetime.now(UTC)) == "2 messages purged"
    left = clinic.rows("SELECT state::text, extract(day FROM now() - mtime)::int FROM dramatiq.queue")
    assert set(left) == kept


def test_pgmqs_archive_is_purged_after_a_month(clinic: Clinic) -> None:
    for _ in range(2):
        number = clinic.value("SELECT pgmq.send('analytics_queue', '{}')")
        clinic.rows("SELECT pgmq.archive('analytics_queue', %s)", number)
    clinic.rows("UPDATE pgmq.a_analytics_queue SET archived_at = now() - interval '31 days' WHERE msg_id = %s", number)
    assert purge(datetime.now(UTC)) == "1 messages purged"
    assert clinic.value("SELECT count(*) FROM pgmq.a_analytics_queue") == 1


def test_events_are_purged_after_their_days_and_stay_counted(clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ANALYTICS_RETENTION_DAYS", "30")
    settings.current.cache_clear()
    now = datetime.now(UTC)
    for days in (29, 31):
        event = {"key": str(days), "type": "page_seen", "occurred_at": now.isoformat(), "facts": {}}
        queries.analytics.record(
            clinic.connection, events=json.dumps([event]), zone="Europe/Moscow", at=now - timedelta(days=days)
        )
    assert purge(now) == "1 messages purged"
    assert clinic.value("SELECT count(*) FROM balansity.analytics_event") == 1
    assert clinic.value("SELECT sum(events)::int FROM balansity.analytics_daily") == 2


def test_the_run_of_a_long_purge_idles_in_no_transaction(clinic: Clinic, connect: Callable[[], Connection]) -> None:
    holder = Clinic(connect())
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    holder.rows("BEGIN; LOCK TABLE dramatiq.queue IN ACCESS EXCLUSIVE MODE")
    run = threading.Thread(target=purge_messages, args=["2026-11-20T10:15:00+00:00"])
    run.start()
    try:
        until(lambda: clinic.value(f"{sessions} AND wait_event_type = 'Lock'") == 1)
        assert clinic.value(f"{sessions} AND state = 'idle in transaction'") == 1, "the holder's alone"
    finally:
        holder.rows("COMMIT")
        run.join()
    assert clinic.value("SELECT state FROM balansity.slot WHERE job = 'purge-messages'") == "succeeded"
