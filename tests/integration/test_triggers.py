"""The site's changes become messages in the transaction that makes them, whatever its data looks like."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from tests.clinic import Clinic, take_over

pytestmark = pytest.mark.undone
TOMORROW = datetime.now(UTC) + timedelta(days=1)
ODD_NAMES = ["Ёж 'Ъ\" <b>\\{{ 7 }}", "名前🙂", " ", "x" * 10_000]


def complete(clinic: Clinic, checkup_id: str) -> None:
    clinic.rows("UPDATE public.assessments SET status = 'completed' WHERE id = %s", checkup_id)


def test_a_completed_checkup_asks_for_report_mail_and_analytics(clinic: Clinic) -> None:
    user = clinic.add_user()
    checkup = clinic.add_checkup(user)
    complete(clinic, checkup)
    [report] = clinic.messages("report_generation_queue")
    assert (report["assessment_id"], report["user_id"], report["report_type"]) == (checkup, user, "pdf")
    [mail] = clinic.messages("email_queue")
    assert (mail["to"], mail["subject"], mail["template"]) == (
        "anna@example.com",
        "Ваш чекап завершен",
        "checkup_completed",
    )
    assert mail["variables"].keys() == {"assessment_id", "profile_name", "completed_at"}
    assert mail["variables"]["profile_name"] == "Мария Ёлкина"
    assert mail["key"] == f"checkup:{checkup}:completed"
    [event] = clinic.messages("analytics_queue")
    assert (event["type"], event["assessment_type"], event["user_id"]) == ("assessment_completed", "checkup", user)


def test_other_changes_of_a_checkup_ask_for_nothing(clinic: Clinic) -> None:
    checkup = clinic.add_checkup(clinic.add_user())
    clinic.rows("UPDATE public.assessments SET current_step = 5 WHERE id = %s", checkup)
    clinic.rows("UPDATE public.assessments SET status = 'abandoned' WHERE id = %s", checkup)
    assert clinic.messages("report_generation_queue") == clinic.messages("email_queue") == []


def test_a_results_update_after_completion_asks_for_nothing_more(clinic: Clinic) -> None:
    checkup = clinic.add_checkup(clinic.add_user())
    complete(clinic, checkup)
    clinic.rows("UPDATE public.assessments SET results_summary = '{}', status = 'completed' WHERE id = %s", checkup)
    assert len(clinic.messages("report_generation_queue")) == 1


def test_a_checkup_without_profile_still_gets_its_report(clinic: Clinic) -> None:
    complete(clinic, clinic.add_checkup(None))
    [report] = clinic.messages("report_generation_queue")
    [mail] = clinic.messages("email_queue")
    assert report["user_id"] is None
    assert mail["to"] is None


def test_nothing_is_sent_when_the_change_rolls_back(clinic: Clinic) -> None:
    checkup = clinic.add_checkup(clinic.add_user())
    clinic.rows("SAVEPOINT before")
    complete(clinic, checkup)
    clinic.rows("ROLLBACK TO before")
    assert clinic.messages("email_queue") == []


def test_a_booked_consultation_is_confirmed_by_mail(clinic: Clinic) -> None:
    appointment = clinic.book(clinic.add_user(), TOMORROW, "pending")
    [mail] = clinic.messages("email_queue")
    assert (mail["subject"], mail["template"]) == ("Подтверждение записи на консультацию", "appointment_confirmation")
    assert mail["variables"] == {
        "appointment_id": appointment,
        "appointment_type": "Детский психолог",
        "scheduled_at": TOMORROW.isoformat().replace("+00:00", "Z"),
        "status": "pending",
    }


def test_history_that_is_loaded_is_not_news(clinic: Clinic) -> None:
    user = clinic.add_user()
    for status in ("in_progress", "completed", "cancelled", "no_show"):
        clinic.book(user, TOMORROW, status)
    assert clinic.messages("email_queue") == []


def test_times_are_utc_whatever_zone_the_session_speaks(clinic: Clinic) -> None:
    clinic.rows("SET timezone = 'Asia/Vladivostok'")
    clinic.book(clinic.add_user(), datetime(2030, 1, 2, 10, 35, tzinfo=UTC))
    assert clinic.messages("email_queue")[0]["variables"]["scheduled_at"] == "2030-01-02T10:35:00Z"


@pytest.mark.parametrize("email", [None, "", "no address", *ODD_NAMES])
def test_an_odd_address_never_fails_the_booking(clinic: Clinic, email: str | None) -> None:
    clinic.book(clinic.add_user(email), TOMORROW)
    assert [mail["to"] for mail in clinic.messages("email_queue")] == [email]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_never_fails_the_checkup(clinic: Clinic, name: str) -> None:
    checkup = clinic.add_checkup(clinic.add_user())
    clinic.rows("UPDATE public.profiles SET first_name = %s", name)
    complete(clinic, checkup)
    assert clinic.messages("email_queue")[0]["variables"]["profile_name"] == f"{name} Ёлкина"


def test_the_triggers_and_functions_are_found_as_the_setup_note_looks_for_them(clinic: Clinic) -> None:
    triggers = clinic.rows(
        "SELECT trigger_name, event_object_table, event_manipulation FROM information_schema.triggers "
        "WHERE trigger_schema = 'public' AND trigger_name IN "
        "('on_checkup_completed', 'on_new_appointment', 'on_payment_status_change') ORDER BY 1"
    )
    assert triggers == [
        ("on_checkup_completed", "assessments", "UPDATE"),
        ("on_new_appointment", "appointments", "INSERT"),
        ("on_payment_status_change", "payments", "UPDATE"),
    ]
    functions = {name for (name,) in clinic.rows("SELECT proname FROM pg_proc WHERE proname LIKE 'handle_%%'")}
    assert functions >= {"handle_checkup_completed", "handle_new_appointment", "handle_payment_status_change"}


def test_a_visitor_may_book_but_not_call_what_the_booking_calls(clinic: Clinic) -> None:
    user = clinic.add_user()
    clinic.rows("CREATE ROLE visitor_of_a_test")
    clinic.rows("GRANT SELECT ON public.appointment_types TO visitor_of_a_test")
    clinic.rows("GRANT SELECT, INSERT ON public.appointments TO visitor_of_a_test")
    for table in ("appointments", "appointment_types"):
        clinic.rows(f"CREATE POLICY visitors ON public.{table} TO visitor_of_a_test USING (true)")
    clinic.rows("SET ROLE visitor_of_a_test")
    clinic.book(user, TOMORROW)
    clinic.rows("SAVEPOINT before")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        clinic.rows("SELECT balansity.send_mail(NULL, 'key', 'template', 'subject', '{}')")
    clinic.rows("ROLLBACK TO before; RESET ROLE")
    assert clinic.templates() == ["appointment_confirmation"]


def test_triggers_that_a_live_database_has_are_replaced(empty_database: str) -> None:
    conn = psycopg2.connect(empty_database)
    conn.autocommit = True
    clinic = Clinic(conn)
    clinic.rows(
        """
        CREATE TABLE public.payments (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, amount numeric(10, 2) NOT NULL,
            currency text DEFAULT 'RUB', status text DEFAULT 'pending', payment_method text, external_payment_id text,
            metadata jsonb, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), note text);
        CREATE FUNCTION public.handle_payment_status_change() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''the old one ran''; END';
        CREATE TRIGGER on_payment_status_change BEFORE UPDATE ON public.payments
            FOR EACH ROW EXECUTE FUNCTION public.handle_payment_status_change();
        CREATE TRIGGER by_another_name AFTER UPDATE ON public.payments
            FOR EACH ROW EXECUTE FUNCTION public.handle_payment_status_change();
        """
    )
    take_over(empty_database)
    payment = clinic.add_payment(clinic.add_user())
    clinic.set_payment(payment, "completed")
    assert clinic.templates() == ["payment_confirmation"]
    conn.close()
