"""A run does its work and leaves its history, in one transaction; a failed one is told and tried again."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import psycopg2
import pytest

import scheduler
from actors.appointments import (
    cleanup_old_assessments,
    remind,
    send_appointment_reminders,
    send_reminders,
    update_appointment_statuses,
)
from actors.emails import send_email
from actors.runs import run_slot
from db import queries
from db.database import transaction
from domain.slots import Missed
from errors import InvalidMessage, RetryableError
from mail.delivery import deliver
from mail.ledger import Entry
from mail.order import read_order
from messaging.broker import PostgresBroker
from scheduler import JOBS
from tests.clinic import Clinic
from tests.integration.broker_cases import states
from tests.integration.ledger_cases import begin_sending, order, pass_time
from tests.waiting import until

SLOT = "2026-11-20T10:05:00+00:00"
MINUTE = timedelta(minutes=1)
REMINDERS_ALL = replace(JOBS[2], missed=Missed.ALL)


def history(clinic: Clinic) -> list[tuple[str, str, Any]]:
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


def test_the_present_of_a_run_is_the_databases_whatever_its_slot(clinic: Clinic) -> None:
    clinic.set_clock(datetime(2030, 11, 25, 10, 5, tzinfo=UTC))
    for minutes in (4, 6):
        clinic.book(clinic.add_user(), datetime(2030, 11, 25, 10, minutes, tzinfo=UTC))
    update_appointment_statuses("2035-01-01T00:00:00+00:00")
    assert history(clinic)[0][2] == "1 started, 0 completed"
    assert clinic.value("SELECT extract(year FROM started_at)::int FROM balansity.slot") == 2030


def test_an_attempt_that_was_overtaken_says_nothing(clinic: Clinic) -> None:
    def overtaken(_now: datetime) -> str:
        update_appointment_statuses(SLOT)  # the attempt of another worker, from its beginning to its end
        return "nonsense"

    clinic.book(clinic.add_user(), datetime.now(UTC) - MINUTE)
    with pytest.raises(RetryableError, match="attempt 1 says nothing"):
        run_slot("update-appointment-statuses", SLOT, overtaken)
    assert history(clinic) == [("update-appointment-statuses", "succeeded", "1 started, 0 completed")]


def test_an_interrupt_after_the_commit_takes_no_success_back(clinic: Clinic) -> None:
    run = {"job": "update-appointment-statuses", "slot": SLOT, "attempt": 1, "outcome": ""}
    with transaction() as conn:
        queries.jobs.start_slot(conn, job=run["job"], slot=SLOT)
        assert queries.jobs.finish_slot(conn, **run, state="succeeded") == 1
        assert queries.jobs.finish_slot(conn, **run, state="failed") == 0
    assert clinic.value("SELECT state FROM balansity.slot") == "succeeded"


def test_a_run_past_its_time_limit_is_told(
    clinic: Clinic, broker: PostgresBroker, work: Callable[..., dramatiq.Worker]
) -> None:
    @dramatiq.actor(broker=broker, time_limit=100, max_retries=0)
    def dawdle(slot: str) -> None:
        run_slot("update-appointment-statuses", slot, endless)

    def endless(_now: datetime) -> str:
        for _ in range(1_500):
            time.sleep(0.01)
        return "in no hurry"

    dawdle.send(slot=SLOT)
    work()
    broker.emit_after("process_boot")  # as the command does: from then on the limit is watched
    until(lambda: states(clinic.connection) == {"rejected": 1})
    assert history(clinic) == [("update-appointment-statuses", "failed", "TimeLimitExceeded")]


def test_a_run_out_of_retries_is_told_with_its_last_failure(
    clinic: Clinic, broker: PostgresBroker, work: Callable[..., dramatiq.Worker]
) -> None:
    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=1, max_backoff=1)
    def stumble(slot: str) -> None:
        run_slot("update-appointment-statuses", slot, lambda now: str(1 / (now - now).days))

    stumble.send(slot=SLOT)
    work()
    until(lambda: states(clinic.connection) == {"rejected": 1})
    assert history(clinic) == [("update-appointment-statuses", "failed", "ZeroDivisionError: division by zero")]
    assert clinic.value("SELECT attempts FROM balansity.slot") == 3


def test_the_clean_up_ends_runs_whose_message_is_dead_or_gone(clinic: Clinic) -> None:
    begun = datetime.now(UTC) - timedelta(hours=2)
    clinic.rows("UPDATE balansity.job SET planned_until = %s", begun - 3 * MINUTE)
    scheduler.enqueue_due(begun, [REMINDERS_ALL])
    [dead, gone, alive] = clinic.rows("SELECT slot, message_id FROM balansity.slot ORDER BY slot")
    for slot, _ in (dead, alive):
        clinic.rows(
            "UPDATE balansity.slot SET state = 'started', attempts = 1, started_at = %s WHERE slot = %s", begun, slot
        )
    clinic.rows("UPDATE dramatiq.queue SET state = 'rejected' WHERE message_id = %s", dead[1])
    clinic.rows("DELETE FROM dramatiq.queue WHERE message_id = %s", gone[1])
    cleanup_old_assessments(SLOT)
    assert history(clinic)[:3] == [
        (REMINDERS_ALL.name, "failed", "its message is dead or gone"),
        (REMINDERS_ALL.name, "failed", "its message is dead or gone"),
        (REMINDERS_ALL.name, "running", None),
    ]
    assert "2 lost runs ended" in history(clinic)[3][2]


def test_the_clean_up_gives_up_mails_whose_message_is_dead_or_gone(clinic: Clinic) -> None:
    """The keys say what became of the mail; all but the last are two hours old."""

    def plan(key: str) -> str:
        message_id: str = send_email.send(**order(key=key)).message_id
        queries.deliveries.plan(clinic.connection, entry=Entry.of(read_order(order(key=key)), message_id))
        return message_id

    def call(key: str) -> str:
        message_id: str = send_email.send(**order(key=key)).message_id
        begin_sending(clinic.connection, message_id, key=key)
        return message_id

    plan("waits")
    clinic.rows("UPDATE dramatiq.queue SET state = 'consumed' WHERE message_id = %s", plan("runs"))
    dead = [plan("died"), plan("died, ordered again"), call("died in its call"), call("died after an unknown call")]
    clinic.rows("UPDATE balansity.delivery SET state = 'planned' WHERE key = 'died after an unknown call'")
    clinic.rows("DELETE FROM dramatiq.queue WHERE message_id = %s", plan("gone"))
    pass_time(clinic.connection, timedelta(hours=2))
    dead.append(plan("died just now"))
    clinic.rows("UPDATE dramatiq.queue SET state = 'rejected' WHERE message_id = ANY (%s::uuid[])", dead)
    send_email.send(**order(key="died, ordered again"))

    cleanup_old_assessments(SLOT)
    given_up = "given up, its message is dead or gone"
    assert clinic.rows('SELECT key, state, reason FROM balansity.delivery ORDER BY key COLLATE "C"') == [
        ("died", "failed", given_up),
        ("died after an unknown call", "unknown", given_up),
        ("died in its call", "unknown", given_up),
        ("died just now", "planned", None),
        ("died, ordered again", "planned", None),
        ("gone", "failed", given_up),
        ("runs", "planned", None),
        ("waits", "planned", None),
    ]
    assert "4 lost mails given up" in history(clinic)[0][2]


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
    appointment = clinic.book(clinic.add_user(), now + timedelta(minutes=30))
    with transaction() as conn:
        assert send_reminders(conn, now, [appointment]) == 1
        conn.rollback()
    assert clinic.rows("SELECT FROM balansity.reminder") == clinic.rows("SELECT FROM dramatiq.queue") == []


def test_a_superseded_reminder_leaves_after_all_when_its_reason_is_back(clinic: Clinic) -> None:
    now = datetime.now(UTC)
    appointment = clinic.book(clinic.add_user(), now + timedelta(minutes=30))
    states = []
    for status in ("cancelled", "scheduled"):
        assert remind(now) == "1 reminders sent"
        clinic.rows("UPDATE public.appointments SET status = %s WHERE id = %s", status, appointment)
        [(order,)] = clinic.rows("DELETE FROM dramatiq.queue RETURNING message -> 'kwargs'")
        deliver(read_order(order), "m1")
        states.append(clinic.value("SELECT state FROM balansity.delivery"))
        clinic.rows("UPDATE public.appointments SET status = 'scheduled' WHERE id = %s", appointment)
    assert states == ["superseded", "sent"]
    assert remind(now) == "0 reminders sent"


def test_the_clean_up_abandons_and_forgets(clinic: Clinic) -> None:
    clinic.add_checkup(clinic.add_user())
    clinic.rows("UPDATE public.assessments SET started_at = now() - interval '31 days'")
    clinic.rows(
        "INSERT INTO balansity.slot (job, slot, state) SELECT 'send-appointment-reminders', "
        "now() - interval '91 days' + n * interval '1 minute', state FROM unnest(%s) WITH ORDINALITY AS old (state, n)",
        ["planned", "started", "succeeded", "failed", "skipped"],
    )
    cleanup_old_assessments(SLOT)
    [(job, status, outcome)] = history(clinic)
    assert (job, status) == ("cleanup-old-assessments", "succeeded")
    assert outcome == (
        "1 check-ups abandoned, 0 lost runs ended, 0 lost mails given up, "
        "5 slots purged, 0 notes about deleted rows removed"
    )


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
