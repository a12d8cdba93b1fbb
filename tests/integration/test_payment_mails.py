"""A payment's mail says what became of the consultation that was paid for: its reader's own, in its own time zone."""

import email
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from icalendar import Calendar

import settings
from db.connection import Connection
from domain.russian import MOSCOW, day_and_time
from mail.delivery import deliver
from mail.order import read_order
from mail.template import TEMPLATES
from tests.clinic import Clinic
from tests.reading import plain

BEGINS = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)

Write = Callable[..., EmailMessage]


@pytest.fixture
def write(environment: pytest.MonkeyPatch) -> Write:
    """Sends a mail and gives it as it left."""

    def written(
        template: str, user_id: str | None = None, to: str = "anna@example.com", **variables: Any
    ) -> EmailMessage:
        order = {"to": to, "subject": TEMPLATES[template].subject, "template": template, "variables": variables}
        deliver(read_order(order | {"user_id": user_id}), f"message of {template}")
        (file,) = settings.current().email_outbox_dir.glob(f"{template}-*.eml")
        return email.message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=default)

    return written


def texts(mail: EmailMessage) -> list[str]:
    """What its reader sees, as HTML and as plain text."""
    return [plain(part.get_content()) for kind in ("html", "plain") if (part := mail.get_body((kind,)))]


def entries(mail: EmailMessage) -> list[Any]:
    return [
        event for part in mail.iter_attachments() for event in Calendar.from_ical(part.get_content()).walk("VEVENT")
    ]


@pytest.mark.parametrize("status", ["scheduled", "confirmed"])
def test_a_booking_that_is_paid_is_confirmed_and_stands_firm_in_the_calendar(
    write: Write, connection: Connection, status: str
) -> None:
    family = Clinic(connection).add_family()
    payment = Clinic(connection).add_payment(family.user_id, {}, status="completed")
    appointment = Clinic(connection).book_for(family, BEGINS, "pending", payment)
    (booked,) = entries(write("appointment_confirmation", appointment_id=appointment))
    with connection.cursor() as cursor:  # two minutes later
        cursor.execute(
            "UPDATE public.appointments SET status = %s, created_at = created_at - interval '2 minutes'", (status,)
        )
    mail = write("payment_confirmation", payment_id=payment)
    for text in texts(mail):
        assert "подтверждена" in text
        assert "мы напомним" in text
    (paid,) = entries(mail)
    assert (booked["status"], paid["status"]) == ("TENTATIVE", "CONFIRMED")
    assert paid["uid"] == booked["uid"]
    assert paid["sequence"] > booked["sequence"]


def test_an_unpaid_booking_says_the_sum_and_until_when(
    write: Write, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SITE_APPOINTMENT_URL", "https://balansity.example/appointments/{id}/pay")
    settings.current.cache_clear()
    appointment = Clinic(connection).book_for(Clinic(connection).add_family(), BEGINS, "pending")
    mail = write("appointment_confirmation", appointment_id=appointment)
    until = plain(day_and_time(BEGINS, MOSCOW))
    assert plain(mail["Subject"]) == f"Оплатите консультацию до {until}: 5 000 ₽"
    for text in texts(mail):
        assert re.search(rf"К оплате\W.*5 000 ₽.*Оплатите до\W.*{re.escape(until)}", text, re.DOTALL)
        assert f"https://balansity.example/appointments/{appointment}/pay" in text


def test_a_receipt_has_the_day_of_payment_and_leads_to_the_payment(
    write: Write, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SITE_PAYMENT_URL", "https://balansity.example/payments/{id}")
    settings.current.cache_clear()
    payment = Clinic(connection).add_payment(Clinic(connection).add_family().user_id, {}, status="completed")
    paid_at = "INSERT INTO balansity.payment_settlement VALUES (%s, 'completed', '2026-11-24 21:30Z', '')"
    Clinic(connection).rows(paid_at, payment)
    for text in texts(write("payment_confirmation", payment_id=payment)):
        assert re.search(r"Оплачено\W.*25 ноября 2026 года", text)
        assert f"https://balansity.example/payments/{payment}" in text


def test_a_caller_keeps_a_subject_of_its_own(connection: Connection, environment: pytest.MonkeyPatch) -> None:
    appointment = Clinic(connection).book_for(Clinic(connection).add_family(), BEGINS)
    order = {"to": "anna@example.com", "subject": "Ждем вас!", "template": "appointment_reminder_24h"}
    deliver(read_order(order | {"variables": {"appointment_id": appointment}}), "m")
    (file,) = settings.current().email_outbox_dir.glob("*.eml")
    assert email.message_from_bytes(file.read_bytes(), policy=default)["Subject"] == "Ждем вас!"


@pytest.mark.parametrize(
    ("ahead", "promise"),
    [
        (timedelta(days=2), "напомним{} за сутки и за час."),
        (timedelta(hours=10), "напомним{} за час."),
        (timedelta(minutes=40), None),
    ],
)
def test_a_mail_promises_only_the_reminders_that_are_to_come(
    write: Write, connection: Connection, ahead: timedelta, promise: str | None
) -> None:
    family = Clinic(connection).add_family()
    payment = Clinic(connection).add_payment(family.user_id, {}, status="completed")
    appointment = Clinic(connection).book_for(family, datetime.now(UTC) + ahead, "confirmed", payment)
    booking, paid = (
        write("appointment_confirmation", appointment_id=appointment),
        write("payment_confirmation", payment_id=payment),
    )
    for text in texts(booking):
        assert promise.format(" о встрече") in text if promise else "напомним" not in text
        assert "добавьте в календарь файл" in text
    for text in texts(paid):
        assert promise.format("") in text if promise else "напомним" not in text


@pytest.mark.parametrize(
    ("status", "begins"),
    [("pending", BEGINS), ("cancelled", BEGINS), ("no_show", BEGINS), ("scheduled", BEGINS - timedelta(days=60))],
)
def test_what_is_not_booked_or_over_is_not_called_confirmed(
    write: Write, connection: Connection, status: str, begins: datetime
) -> None:
    family = Clinic(connection).add_family()
    payment = Clinic(connection).add_payment(family.user_id, {}, status="completed")
    Clinic(connection).book_for(family, begins, status, payment)
    mail = write("payment_confirmation", payment_id=payment)
    for text in texts(mail):
        assert "Детский психолог" in text
        assert "подтверждена" not in text
        assert "напомним" not in text
        assert ("консультация отменена" in text) == (status == "cancelled")
    assert not list(mail.iter_attachments())


def test_an_appointment_of_another_family_is_never_told(write: Write, connection: Connection) -> None:
    anna, eve = Clinic(connection).add_family(), Clinic(connection).add_family("Ева", "Петя", "eve@example.com")
    payment = Clinic(connection).add_payment(eve.user_id, {}, status="pending")
    appointment = Clinic(connection).book_for(anna, BEGINS, "scheduled", payment)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE public.payments SET metadata = jsonb_build_object('appointment_id', %s), status = 'completed'",
            (appointment,),
        )
    mail = write("payment_confirmation", to="eve@example.com", payment_id=payment)
    for text in texts(mail):
        assert "Здравствуйте, Ева!" in text
        assert "психолог" not in text
        assert "Время консультации" not in text
        assert "подтверждена" not in text
    assert not list(mail.iter_attachments())


def test_an_appointment_that_only_the_metadata_names_is_told(write: Write, connection: Connection) -> None:
    family = Clinic(connection).add_family()
    appointment = Clinic(connection).book_for(family, BEGINS)
    payment = Clinic(connection).add_payment(family.user_id, {"appointment_id": appointment}, status="completed")
    for text in texts(write("payment_confirmation", payment_id=payment)):
        assert "Детский психолог" in text


@pytest.mark.parametrize(
    ("name", "status"),
    [("payment_confirmation", "completed"), ("payment_failed", "failed"), ("payment_refunded", "refunded")],
)
def test_all_mails_tell_the_time_in_the_same_zone(write: Write, connection: Connection, name: str, status: str) -> None:
    family = Clinic(connection).add_family()
    payment = Clinic(connection).add_payment(family.user_id, {}, status=status)
    appointment = Clinic(connection).book_for(family, BEGINS, "scheduled", payment)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.appointments SET timezone = 'Asia/Vladivostok'")
    booking = write("appointment_confirmation", appointment_id=appointment)
    for text in texts(booking) + texts(write(name, payment_id=payment)):
        assert "в 20:00 (МСК+7)" in text


EVIL = "Иван!\n\nВаш счёт заблокирован\n\n"


def test_a_name_cannot_write_a_paragraph_of_ours(write: Write, connection: Connection) -> None:
    family = Clinic(connection).add_family(parent=EVIL, child=EVIL)
    report = write("report_ready", name=EVIL, profile_name=EVIL)
    booking = write("appointment_confirmation", appointment_id=Clinic(connection).book_for(family, BEGINS))
    payment = write("payment_confirmation", amount=5000, user_id=family.user_id)
    for mail in (report, booking, payment):
        lines = texts(mail)[1].splitlines()
        assert "Здравствуйте!" in lines
        assert not any("заблокирован" in line for line in lines)


def test_a_caller_that_names_no_payment_has_nothing_confirmed(write: Write) -> None:
    for text in texts(write("payment_confirmation", amount=5000, scheduled_at=BEGINS.isoformat())):
        assert "Время консультации" in text
        assert "подтверждена" not in text
