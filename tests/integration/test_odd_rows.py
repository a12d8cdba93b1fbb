"""Every column is somebody's input: an odd row holds up no other, is made the best of, and is shown to a person."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from psycopg2 import sql

import cli
import settings
from actors.appointments import remind, update_statuses
from actors.reports import generate_report
from db.connection import Connection
from tests.clinic import Clinic
from tests.integration.ledger_cases import order, outbox, send
from tests.integration.report_cases import completed_checkup, kept
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from tests.reading import plain
from web.app import create_app

TIMES = [
    "294276-12-31T23:59:59Z",
    "infinity",
    "-infinity",
    "4714-11-24 00:00:00 BC",
    "0044-03-15 00:00:00 BC",
    "9999-12-31",
]
MINUTES = [2**31 - 1, -(2**31), 0, -45, 100_000, None]
STATUSES = ["pending", "scheduled", "confirmed", "in_progress", "cancelled"]

pytestmark = pytest.mark.usefixtures("environment")


def book_oddly(clinic: Clinic, user_id: str, present: datetime) -> None:
    """A consultation of every odd time, duration, zone and status; some of them about to be reminded of."""
    clinic.rows(
        """
        INSERT INTO public.appointments
            (user_id, appointment_type_id, scheduled_at, status, duration_minutes, timezone, created_at, video_room_url)
        SELECT %s, %s, at::timestamptz, status, minutes, zone, made::timestamptz, repeat('https://evil.example/', 999)
        FROM unnest(%s) AS at, unnest(%s) AS status, unnest(%s) AS minutes,
             (VALUES ('Europe', '-infinity'), (repeat('x', 9999), 'infinity'), (NULL, '294276-01-01')) AS a (zone, made)
        """,
        *(user_id, clinic.type_id(), [*TIMES, (present + timedelta(minutes=59)).isoformat()], STATUSES, MINUTES),
    )


def test_jobs_plan_and_doctor_do_the_others_and_show_the_odd_ones(clinic: Clinic, connection: Connection) -> None:
    present = datetime.now(UTC)
    odd, plain = clinic.add_user("eve@example.com"), clinic.add_user()
    book_oddly(clinic, odd, present)
    begins = clinic.book(plain, present - timedelta(minutes=1))
    over = clinic.book(plain, present - timedelta(minutes=61), "in_progress")
    soon = clinic.book(plain, present + timedelta(minutes=59))

    done = update_statuses(present)
    assert "skipped" not in done
    assert [clinic.appointment(each)[0] for each in (begins, over, soon)] == ["in_progress", "completed", "scheduled"]
    assert clinic.rows("SELECT DISTINCT status FROM public.appointments WHERE scheduled_at = '-infinity'") == [
        (status,) for status in ("cancelled", "completed", "pending")
    ]

    clinic.rows("SELECT started, completed FROM balansity.update_appointment_statuses(%s)", present)  # all at once
    assert "skipped" not in remind(present)
    assert clinic.value("SELECT count(*) FROM balansity.reminder WHERE appointment_id = %s", soon) == 1

    planned = CliRunner().invoke(cli.main, ["plan", "--json"], catch_exceptions=False)
    assert planned.exit_code == 0
    doctor = CliRunner().invoke(cli.main, ["doctor"], catch_exceptions=False)
    said = " ".join(doctor.output.split())
    assert "a time or a duration that nobody can mean: " in said
    assert "Correct them on the site" in said


@pytest.mark.parametrize("minutes", [2**31 - 1, -5])
def test_a_mail_takes_from_a_row_what_can_be_meant_and_links_nowhere(clinic: Clinic, minutes: int) -> None:
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    appointment = clinic.book(clinic.add_user(), begins, duration_minutes=minutes)
    clinic.rows(
        "UPDATE public.appointments SET created_at = '-infinity', timezone = 'Europe', "
        "video_room_url = 'https://video.balansity.example@evil.example/'"
    )
    send(order("appointment_confirmation", variables={"appointment_id": appointment}))
    [mail] = outbox()
    text, html, *calendars = (part.get_content() for part in mail.walk() if not part.is_multipart())
    assert "45" in text
    for words in map(plain, (html, text)):
        assert "Ссылка на видеовстречу ждет вас в личном кабинете." in words
    assert not any("evil" in str(words) for words in (html, text, *calendars))


def test_a_receipt_goes_out_whatever_else_is_odd(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    payment = clinic.add_payment(user_id, {}, status="completed", currency="<a href=//evil.example>")
    appointment = clinic.book(user_id, datetime.now(UTC), "confirmed", payment_id=payment)
    clinic.rows("UPDATE public.appointments SET scheduled_at = 'infinity'")
    send(order("payment_confirmation", key="receipt", variables={"payment_id": payment}))
    send(order("appointment_confirmation", key="booking", variables={"appointment_id": appointment}), "m2")
    [mail] = outbox()
    assert "5 000" in plain(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert "evil" not in mail.as_string()
    assert clinic.rows("SELECT state, reason FROM balansity.delivery WHERE key = 'booking'") == [
        ("failed", "the appointment's time is in no calendar")
    ]


def test_a_mail_about_a_row_with_gaps_says_what_is_known(clinic: Clinic) -> None:
    clinic.rows(
        """
        ALTER TABLE public.appointments ALTER COLUMN appointment_type_id DROP NOT NULL, ALTER status DROP NOT NULL;
        ALTER TABLE public.payments ALTER COLUMN status DROP NOT NULL, ALTER COLUMN currency DROP NOT NULL;
        ALTER TABLE public.assessments ALTER COLUMN assessment_type DROP NOT NULL
        """
    )
    family = clinic.add_family()
    booked = clinic.book_for(family, datetime.now(UTC) + timedelta(days=2))
    stateless = clinic.book_for(family, datetime.now(UTC) + timedelta(days=2))
    paid, unclear = (clinic.add_payment(family.user_id, status="completed") for _ in range(2))
    checkup = clinic.add_completed_checkup(family)
    clinic.rows("UPDATE public.appointments SET appointment_type_id = NULL")
    clinic.rows("UPDATE public.appointments SET status = NULL WHERE id = %s", stateless)
    clinic.rows("UPDATE public.payments SET currency = NULL")
    clinic.rows("UPDATE public.payments SET status = NULL WHERE id = %s", unclear)
    clinic.rows("UPDATE public.assessments SET assessment_type = NULL")
    for key, template, variables in [
        ("booked", "appointment_confirmation", {"appointment_id": booked}),
        ("stateless", "appointment_confirmation", {"appointment_id": stateless}),
        ("paid", "payment_confirmation", {"payment_id": paid}),
        ("unclear", "payment_confirmation", {"payment_id": unclear}),
        ("checkup", "checkup_completed", {"assessment_id": checkup}),
    ]:
        send(order(template, key=key, variables=variables), key)
    assert dict(clinic.rows("SELECT key, concat_ws(': ', state, reason) FROM balansity.delivery")) == {
        "booked": "sent",
        "stateless": "superseded: the appointment is of no status by now",
        "paid": "sent",
        "unclear": "superseded: the payment is of no status by now, not completed",
        "checkup": "sent",
    }


def test_a_report_comes_whatever_its_dates_and_names_are(clinic: Clinic) -> None:
    odd: dict[str, Any] = {
        "assessments": ["started_at", "completed_at", "created_at", "updated_at"],
        "answers": ["created_at"],
    }
    birthdays = ["5874897-12-31", "infinity", "-infinity"]
    for number, (at, born) in enumerate(zip(TIMES, birthdays, strict=False)):
        user_id = clinic.add_user(f"{number}@example.com")
        checkup = completed_checkup(clinic, user_id)
        clinic.rows("UPDATE public.profiles SET dob = %s, first_name = %s", born, "Ж" * 20_000)
        for table, columns in odd.items():
            for column in columns:
                names = sql.Identifier(table), sql.Identifier(column)
                with clinic.connection.cursor() as cursor:
                    cursor.execute(sql.SQL("UPDATE public.{} SET {} = %s").format(*names), (at,))
        generate_report(assessment_id=checkup, user_id=user_id, report_type="json")
        assert len(kept(clinic, checkup)) == 1
        [(content,)] = clinic.rows("SELECT content FROM balansity.report WHERE assessment_id = %s", checkup)
        facts = json.loads(bytes(content))
        assert (facts["birthday"], facts["person"]) == (None, "Ж" * 119 + "…")
        assert date.fromisoformat(facts["answered_on"]) >= datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("WEB_USERS", USERS)
    settings.current.cache_clear()
    return create_app().test_client()


def test_the_numbers_leave_out_what_is_none(client: FlaskClient, clinic: Clinic) -> None:
    user_id = clinic.add_user()
    clinic.rows("ALTER TABLE public.payments ALTER COLUMN currency DROP NOT NULL")
    for amount, currency in [("NaN", "RUB"), ("5000", None), ("7", "<b>evil.example</b>")]:
        clinic.add_payment(user_id, {}, status="completed", amount=amount, currency=currency)  # type: ignore[arg-type]
    book_oddly(clinic, user_id, datetime.now(UTC))
    page = client.get("/numbers", auth=LOGIN)
    assert page.status_code == 200
    assert "evil" not in page.text
    counted = CliRunner().invoke(cli.main, ["stats", "--csv"], catch_exceptions=False)
    assert '"other RUB","revenue",5000.00' in counted.output
