"""One row that cannot be changed holds up none of the others of a job, and its outcome names it."""

from datetime import UTC, datetime, timedelta

import pytest

from actors.appointments import clean_up, remind, send_appointment_reminders, update_appointment_statuses
from actors.payments import check_open_payments
from tests.clinic import Clinic
from tests.integration.batch_cases import impatient, react, refuse

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=100)


def outcome(clinic: Clinic) -> str:
    return str(clinic.value("SELECT outcome FROM balansity.slot WHERE state = 'succeeded'"))


def test_an_appointment_that_cannot_be_changed_holds_up_no_other(clinic: Clinic) -> None:
    user = clinic.add_user()
    bad, *_ = [clinic.book(user, LONG_AGO) for _ in range(9)]
    refuse(clinic, "public.appointments", f"OLD.id = '{bad}'")
    update_appointment_statuses(NOW.isoformat())
    assert outcome(clinic) == f"0 started, 8 completed; 1 skipped: appointment {bad} (RaiseException)"
    assert clinic.appointment(bad)[0] == "scheduled"


@pytest.mark.parametrize("minutes", [2**31 - 1, -(2**31)])
def test_a_duration_out_of_this_world_is_no_error(clinic: Clinic, minutes: int) -> None:
    clinic.book(clinic.add_user(), LONG_AGO, duration_minutes=minutes)
    update_appointment_statuses(NOW.isoformat())
    assert outcome(clinic) in {"1 started, 0 completed", "0 started, 1 completed"}


def test_a_reminder_that_cannot_be_planned_holds_up_no_other(clinic: Clinic) -> None:
    user = clinic.add_user()
    bad, *_ = [clinic.book(user, NOW + timedelta(minutes=30)) for _ in range(9)]
    refuse(clinic, "balansity.reminder", f"NEW.appointment_id = '{bad}'", events="INSERT")
    send_appointment_reminders(NOW.isoformat())
    assert outcome(clinic) == f"8 reminders sent; 1 skipped: reminder of appointment {bad} (RaiseException)"
    assert clinic.value("SELECT count(*) FROM dramatiq.queue") == 8


def test_more_reminders_than_a_time_limit_lets_through_at_once_are_all_sent(
    clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    clinic.rows(
        "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status) "
        "SELECT %s, %s, now() + interval '30 minutes', 'scheduled' FROM generate_series(1, 1000)",
        *(clinic.add_user(), clinic.type_id()),
    )
    react(clinic, "balansity.reminder", "PERFORM pg_sleep(0.002);", events="INSERT")
    with impatient(environment, "statement_timeout=1500ms"):
        assert remind(NOW) == "1000 reminders sent"
    assert clinic.value("SELECT count(DISTINCT message -> 'kwargs' ->> 'key') FROM dramatiq.queue") == 1000


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("public.assessments", "check-up"),
        ("balansity.slot", "run"),
        ("balansity.slot", "slot"),
        ("balansity.delivery", "delivery"),
        ("balansity.reminder", "note"),
    ],
)
def test_what_cannot_be_cleaned_up_holds_up_nothing_else(clinic: Clinic, table: str, kind: str) -> None:
    for number in range(3):
        clinic.rows("UPDATE public.assessments SET started_at = %s WHERE id = %s", LONG_AGO, clinic.add_checkup(None))
        day = LONG_AGO if kind == "slot" else NOW - timedelta(days=1)
        clinic.rows(
            "INSERT INTO balansity.slot (job, slot, state, enqueued_at) VALUES ('purge-messages', %s, %s, %s)",
            *(day + timedelta(minutes=number), "planned" if kind == "run" else "skipped", day),
        )
        clinic.rows(
            "INSERT INTO balansity.delivery (key, template, message_id, planned_at, changed_at) "
            "VALUES (%s, 'report_ready', gen_random_uuid(), %s, %s)",
            *(str(number), LONG_AGO, LONG_AGO),
        )
        clinic.rows("INSERT INTO balansity.reminder VALUES (gen_random_uuid(), '1h', %s, %s)", LONG_AGO, LONG_AGO)
    bad = clinic.value(f"SELECT ctid::text FROM {table} LIMIT 1")
    refuse(clinic, table, f"OLD.ctid = '{bad}'")
    said = clean_up(NOW)
    assert f"1 skipped: {kind} " in said
    counts = [part.split()[0] for part in said.split(";")[0].split(", ")]
    expected = {"check-up": "3", "run": "0", "delivery": "3", "slot": "0", "note": "3"}
    expected |= {"run": "3"} if kind == "run" else {"slot": "3"} if kind == "slot" else {}
    assert counts == list((expected | {kind: "2"}).values())


def test_many_lost_mails_beside_many_ordered_ones_are_given_up(clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
    clinic.rows(
        "INSERT INTO balansity.delivery (key, template, message_id, planned_at, changed_at) "
        "SELECT n, 'report_ready', gen_random_uuid(), %s, %s FROM generate_series(1, 20000) AS n",
        *(LONG_AGO, LONG_AGO),
    )
    clinic.rows(
        "INSERT INTO dramatiq.queue (message_id, queue_name, state, message) "
        "SELECT gen_random_uuid(), 'emails', 'queued', json_build_object('kwargs', json_build_object('key', n::text)) "
        " FROM generate_series(10001, 30000) AS n"
    )
    with impatient(environment, "statement_timeout=10s"):
        assert ", 10000 lost mails given up" in clean_up(NOW)


def test_a_payment_that_cannot_be_flagged_or_confirmed_holds_up_no_other(clinic: Clinic) -> None:
    user = clinic.add_user()
    for _ in range(3):
        clinic.book(user, NOW + timedelta(days=1), "pending", payment_id=clinic.add_payment(user))
    clinic.rows("ALTER TABLE public.payments DISABLE TRIGGER USER")
    clinic.rows("UPDATE public.payments SET status = 'completed'")
    clinic.rows("ALTER TABLE public.payments ENABLE TRIGGER USER")
    open_ones = [clinic.add_payment(user, external_payment_id=external_id) for external_id in "abc"]
    clinic.rows("UPDATE public.payments SET created_at = %s WHERE status <> 'completed'", LONG_AGO)
    bad = clinic.value("SELECT id::text FROM public.appointments LIMIT 1")
    refuse(clinic, "public.appointments", f"OLD.id = '{bad}'")
    refuse(clinic, "balansity.payment_flag", f"NEW.payment_id = '{open_ones[0]}'", events="INSERT")
    said = "0 asked about, 2 given up, 2 appointments confirmed; 1 skipped: payment {} (RaiseException)"
    assert check_open_payments(NOW) == said.format(open_ones[0])
