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
from tests.integration.batch_cases import refuse
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


def test_how_long_each_kind_is_kept_is_a_setting(clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
    add = "INSERT INTO dramatiq.queue (message_id, state, mtime, message) VALUES (gen_random_uuid(), %s, %s, '{}')"
    now = datetime.now(UTC)
    for state, days in (("done", 4), ("done", 2), ("rejected", 4), ("rejected", 6), ("cancelled", 6)):
        clinic.rows(add, state, now - timedelta(days=days))
    clinic.rows("SELECT pgmq.archive('analytics_queue', pgmq.send('analytics_queue', '{}'))")
    clinic.rows("UPDATE pgmq.a_analytics_queue SET archived_at = now() - interval '8 days'")
    environment.setenv("MESSAGE_RETENTION_DAYS", "2")
    environment.setenv("DEAD_LETTER_RETENTION_DAYS", "5")
    environment.setenv("ARCHIVE_RETENTION_DAYS", "7")
    settings.current.cache_clear()
    assert purge(now) == "4 messages purged"
    assert clinic.rows("SELECT state::text FROM dramatiq.queue ORDER BY mtime") == [("rejected",), ("done",)]


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


OLD_ROWS = {  # a few old rows of each kind that is purged, with what tells the first of them
    "dramatiq.queue": (
        (
            "INSERT INTO dramatiq.queue (message_id, state, mtime, message) "
            "SELECT lpad(n::text, 32, '0')::uuid, CASE mod(n, 2) WHEN 0 THEN 'done' ELSE 'rejected' END"
            "::dramatiq.state, now() - interval '1 year', '{}' FROM generate_series(1, 9) AS n"
        ),
        "OLD.message_id = lpad('1', 32, '0')::uuid",
        "dead letter 00000000-0000-0000-0000-000000000001",
    ),
    "pgmq.a_email_queue": (
        (
            "INSERT INTO pgmq.a_email_queue (msg_id, read_ct, enqueued_at, archived_at, vt, message) "
            "SELECT n, 0, now(), now() - interval '1 year', now(), '{}' FROM generate_series(1, 9) AS n"
        ),
        "OLD.msg_id = 1",
        "message of email_queue 1",
    ),
    "dramatiq.result": (
        (
            "INSERT INTO dramatiq.result SELECT lpad(n::text, 32, '0')::uuid, '', now() - interval '1 day' "
            "FROM generate_series(1, 9) AS n"
        ),
        "OLD.message_id = lpad('1', 32, '0')::uuid",
        "result 00000000-0000-0000-0000-000000000001",
    ),
    "dramatiq.open_group": (
        "INSERT INTO dramatiq.open_group SELECT n, 1, now() - interval '1 year' FROM generate_series(1, 9) AS n",
        "OLD.id = '1'",
        "group 1",
    ),
    "dramatiq.counter": (
        ("INSERT INTO dramatiq.counter SELECT n, 1, now() - interval '1 day' FROM generate_series(1, 9) AS n"),
        "OLD.key = '1'",
        "counter 1",
    ),
    "balansity.analytics_event": (
        (
            "INSERT INTO balansity.analytics_event "
            "SELECT decode('0' || n, 'hex'), 'page_seen', now(), now()::date, NULL, '{}', now() - interval '100 years' "
            "FROM generate_series(1, 9) AS n"
        ),
        "OLD.key = decode('01', 'hex')",
        "event 01",
    ),
}


@pytest.mark.parametrize("table", OLD_ROWS)
def test_a_row_that_cannot_be_deleted_is_named_and_holds_up_no_other(clinic: Clinic, table: str) -> None:
    insert, first, name = OLD_ROWS[table]
    clinic.rows(insert)
    refuse(clinic, table, first)
    assert purge(datetime.now(UTC)) == f"8 messages purged; 1 skipped: {name} (RaiseException)"
    assert clinic.value(f"SELECT count(*) FROM {table}") == 1


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
