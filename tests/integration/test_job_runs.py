"""A run does its work and leaves its history, in one transaction; a failed one is told and tried again."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from actors.appointments import (
    cleanup_old_assessments,
    send_appointment_reminders,
    send_reminders,
    update_appointment_statuses,
)
from actors.delivery import deliver
from db.connection import transaction
from domain.mail_order import read_order
from errors import InvalidMessage
from tests.clinic import Clinic

SLOT = "2026-11-20T10:05:00+00:00"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clinic(connection: Connection, environment: pytest.MonkeyPatch) -> Clinic:
    return Clinic(connection)


def history(clinic: Clinic) -> list[tuple[str, str, str]]:
    """Job, outcome as pg_cron words it, and what the run did."""
    found = clinic.rows(
        "SELECT jobname, status, return_message FROM cron.job_run_details JOIN cron.job USING (jobid) ORDER BY runid"
    )
    return [(name, status, message) for name, status, message in found]


def test_a_run_tells_what_it_did(clinic: Clinic) -> None:
    user, now = clinic.add_user(), datetime.now(UTC)
    clinic.book(user, now - MINUTE)
    clinic.book(user, now - 61 * MINUTE)
    update_appointment_statuses(SLOT)
    assert history(clinic) == [("update-appointment-statuses", "succeeded", "1 started, 1 completed")]


def test_a_slot_whose_message_comes_twice_runs_once(clinic: Clinic) -> None:
    update_appointment_statuses(SLOT)
    clinic.book(clinic.add_user(), datetime.now(UTC) - MINUTE)
    update_appointment_statuses(SLOT)
    assert history(clinic) == [("update-appointment-statuses", "succeeded", "0 started, 0 completed")]


def test_a_run_sees_the_present_no_earlier_than_its_slot(clinic: Clinic) -> None:
    soon = datetime.now(UTC) + MINUTE / 2  # a scheduler whose clock is ahead of the worker's
    clinic.book(clinic.add_user(), soon)
    update_appointment_statuses(soon.isoformat())
    assert history(clinic)[0][2] == "1 started, 0 completed"


def test_a_slot_far_ahead_does_not_move_the_present(clinic: Clinic) -> None:
    clinic.book(clinic.add_user(), datetime.now(UTC) + timedelta(hours=1))
    update_appointment_statuses((datetime.now(UTC) + timedelta(days=30)).isoformat())
    assert history(clinic)[0][2] == "0 started, 0 completed"


def test_a_failed_run_is_told_and_its_retry_succeeds(clinic: Clinic) -> None:
    clinic.rows("ALTER TABLE public.appointments RENAME TO hidden")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        update_appointment_statuses(SLOT)
    [(_, status, message)] = history(clinic)
    assert (status, message.split(":")[0]) == ("failed", "UndefinedTable")
    clinic.rows("ALTER TABLE public.hidden RENAME TO appointments")
    update_appointment_statuses(SLOT)
    assert history(clinic)[0][1] == "succeeded"
    assert clinic.value("SELECT attempts FROM balansity.slot") == 2


@pytest.mark.parametrize("slot", ["", "three o'clock", "2026-11-25T10:05:00"])
def test_a_slot_that_is_no_time_is_refused(clinic: Clinic, slot: str) -> None:
    with pytest.raises(InvalidMessage, match=r"must be|no time zone"):
        update_appointment_statuses(slot)


def test_reminders_are_sent_to_their_moment(clinic: Clinic) -> None:
    user, now = clinic.add_user(), datetime.now(UTC)
    appointment = clinic.book(user, now + timedelta(hours=1, seconds=30))
    send_appointment_reminders(now.isoformat())
    [(message, delay)] = clinic.rows(
        "SELECT message -> 'kwargs', available_at - %s FROM dramatiq.queue WHERE queue_name = 'emails' "
        "AND message -> 'kwargs' ->> 'template' = 'appointment_reminder_1h'",
        now,
    )
    scheduled_at = message["variables"]["scheduled_at"]
    assert message == {
        "to": "anna@example.com",
        "subject": "Напоминание о консультации",
        "template": "appointment_reminder_1h",
        "variables": {"appointment_id": appointment, "scheduled_at": scheduled_at},
        "priority": 10,
        "key": f"reminder:1h:{appointment}:{scheduled_at}",
        "user_id": user,
    }
    assert scheduled_at.endswith("Z")
    assert timedelta(seconds=29) < delay < timedelta(seconds=31)


def test_a_reminder_is_not_sent_when_its_run_fails(clinic: Clinic) -> None:
    now = datetime.now(UTC)
    clinic.book(clinic.add_user(), now + timedelta(minutes=30))
    with transaction() as conn:
        assert send_reminders(conn, now) == "1 reminders sent"
        conn.rollback()
    assert clinic.rows("SELECT FROM balansity.reminder") == clinic.rows("SELECT FROM dramatiq.queue") == []


def test_a_superseded_reminder_leaves_after_all_when_its_reason_is_back(clinic: Clinic) -> None:
    now = datetime.now(UTC)
    appointment = clinic.book(clinic.add_user(), now + timedelta(minutes=30))
    states = []
    for status in ("cancelled", "scheduled"):
        with transaction() as conn:
            assert send_reminders(conn, now) == "1 reminders sent"
        clinic.rows("UPDATE public.appointments SET status = %s WHERE id = %s", status, appointment)
        [(order,)] = clinic.rows("DELETE FROM dramatiq.queue RETURNING message -> 'kwargs'")
        deliver(read_order(order), "m1")
        states.append(clinic.value("SELECT state FROM balansity.delivery"))
        clinic.rows("UPDATE public.appointments SET status = 'scheduled' WHERE id = %s", appointment)
    assert states == ["superseded", "sent"]
    with transaction() as conn:
        assert send_reminders(conn, now) == "0 reminders sent"


def test_the_clean_up_abandons_and_forgets(clinic: Clinic) -> None:
    clinic.add_checkup(clinic.add_user())
    clinic.rows("UPDATE public.assessments SET started_at = now() - interval '31 days'")
    clinic.rows(
        "INSERT INTO balansity.slot (job, slot, state) "
        "VALUES ('cleanup-old-assessments', now() - interval '91 days', 'succeeded')"
    )
    cleanup_old_assessments(SLOT)
    [(job, status, outcome)] = history(clinic)
    assert (job, status) == ("cleanup-old-assessments", "succeeded")
    assert outcome == "1 check-ups abandoned, 1 slots purged, 0 notes about deleted rows removed"


def test_the_site_may_empty_its_tables_and_the_clean_up_follows(clinic: Clinic) -> None:
    user, now = clinic.add_user(), datetime.now(UTC)
    kept = clinic.add_payment(user)
    clinic.set_payment(kept, "completed")
    clinic.book(user, now + timedelta(minutes=30))
    send_appointment_reminders(now.isoformat())
    gone = clinic.add_payment(user, {"appointment_id": "nonsense"})
    clinic.set_payment(gone, "completed")
    clinic.rows("INSERT INTO balansity.payment_check VALUES (%s, 1, now())", gone)
    clinic.rows("TRUNCATE public.appointments")
    clinic.rows("DELETE FROM public.payments WHERE id = %s", gone)
    cleanup_old_assessments(SLOT)
    assert history(clinic)[-1][2].endswith("4 notes about deleted rows removed")
    assert clinic.rows("SELECT payment_id::text FROM balansity.payment_settlement") == [(kept,)]


def test_the_site_may_truncate_all_that_our_notes_speak_of(clinic: Clinic) -> None:
    clinic.rows("TRUNCATE public.appointments, public.payments, public.package_purchases")
