"""Migrate prepares beside an old system; a person hands over in one moment, and may hand back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from click.testing import CliRunner, Result

import cli
import settings
from db.database import pool
from tests.clinic import Clinic
from tests.live.database import LiveDatabase

# Everything of the old system's, as the catalogues tell it.
OLD_SYSTEM = """
    SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger', t.tgrelid::regclass::text, pg_get_triggerdef(t.oid), t.tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
        AND pg_get_triggerdef(t.oid) NOT LIKE '%%balansity.%%'
    UNION ALL
    SELECT 'view', viewname, definition, viewowner FROM pg_views WHERE schemaname IN ('pgmq', 'public')
        AND viewname = 'email_queue'
    ORDER BY 1, 2, 3
"""
DELIVERED = "SELECT message ->> 'template' FROM pgmq.q_email_queue WHERE message ->> 'to' = %s ORDER BY msg_id"


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Settings of this process name that database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        settings.current.cache_clear()
        pool.closeall()
        yield
        pool.closeall()
    settings.current.cache_clear()


def balansity(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)


@pytest.fixture
def prepared(live_database: LiveDatabase) -> Iterator[LiveDatabase]:
    """A database of the live kind that `migrate` has prepared."""
    with pointed_at(live_database.url):
        yield live_database


def told_appointments(owner: Clinic) -> set[tuple[str, ...]]:
    return set(
        owner.rows(
            "SELECT DISTINCT message #>> '{variables,appointment_id}', '24h' FROM "
            "(SELECT message FROM pgmq.q_email_queue UNION ALL SELECT message FROM pgmq.a_email_queue) AS m "
            "WHERE message ->> 'template' = 'appointment_reminder_24h' "
            "AND (message #>> '{variables,scheduled_at}')::timestamptz > now()"
        )
    )


def test_migrate_prepares_and_a_person_hands_over_and_back(prepared: LiveDatabase) -> None:
    """The old system is itself until the hand-over, ours is from it on, and the way back leads exactly there."""
    site = prepared.site
    with prepared.owner() as owner:
        before = owner.rows(OLD_SYSTEM)
        assert "An old system is in charge here" in balansity("migrate").output
        assert owner.rows(OLD_SYSTEM) == before
        assert "is in charge" in balansity("migrate").output
        told = told_appointments(owner)
        first = site.sign_up("first@example.com")
        at = datetime.now(UTC) + timedelta(days=3)
        site.book(first, at)
        assert owner.rows(DELIVERED, first.email) == [("appointment_confirmation",)]
        assert owner.value("SELECT count(*) FROM balansity.cron_job") > 0
        assert owner.rows("SELECT * FROM dramatiq.bridge(1, 'emails', 'email_queue', 'send_email', 10, 10)") == []

        plan = json.loads(balansity("take-over", "--plan", "--json").stdout)
        assert {kind["kind"]: kind["reminders"] for kind in plan["told"]} == {"24h": len(told)}
        assert all(step["obstacle"] is None for step in plan["steps"])
        assert owner.rows(OLD_SYSTEM) == before
        assert owner.value("SELECT count(*) FROM balansity.reminder") == 0

        with psycopg2.connect(prepared.url) as reader, reader.cursor() as reading:
            reading.execute("SELECT count(*) FROM public.appointments; UPDATE public.payments SET updated_at = now()")
            assert (
                "Ours is in charge" in balansity("take-over").output
            )  # while a reader and a writer of the site's are at it
        reader.close()
        assert set(owner.rows("SELECT appointment_id::text, kind FROM balansity.reminder")) == told
        assert balansity("take-over").output == "Ours has been in charge.\n"
        second = site.sign_up("second@example.com")
        site.book(second, at)
        [keyed] = owner.rows("SELECT message ? 'key' FROM pgmq.q_email_queue WHERE message ->> 'to' = %s", second.email)
        assert keyed == (True,)
        with site.anonymous() as anonymous, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            anonymous.rows("SELECT queue_email_task('a@example.com', 's', 't')")

        owner.rows("UPDATE public.appointments SET status = 'confirmed' WHERE user_id = %s", second.user_id)
        moved = len(owner.rows("SELECT * FROM dramatiq.bridge(NULL, 'emails', 'email_queue', 'send_email', 1000, 0)"))
        waiting = owner.value("SELECT count(*) FROM dramatiq.queue WHERE state = 'queued'")
        assert (moved, waiting > 0) == (0, True)
        assert "email_queue" in balansity("take-over", "--undo", "--plan").output
        assert f"Given back: {waiting} messages, 1 consultations." in balansity("take-over", "--undo").output
        assert owner.rows(OLD_SYSTEM) == before
        assert owner.value("SELECT count(*) FROM dramatiq.queue WHERE state = 'queued'") == 0
        assert owner.value("SELECT status FROM public.appointments WHERE user_id = %s", second.user_id) == "scheduled"
        with site.anonymous() as anonymous, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            anonymous.rows("SELECT queue_email_task('a@example.com', 's', 't')")
        third = site.sign_up("third@example.com")
        site.book(third, at)
        assert owner.rows(DELIVERED, third.email) == [("appointment_confirmation",)]
        assert "Given back: 0 messages, 0" in balansity("take-over", "--undo").output
        assert "Ours is in charge" in balansity("take-over").output
        assert owner.value("SELECT balansity.in_charge()") is True
