"""The e-mail actor on a real worker: what is queued in SQL leaves as mail."""

import email
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import dramatiq
import pytest
from icalendar import Calendar

import settings
from actors.emails import send_email
from broker import broker
from db.connection import Connection
from domain.russian import MOSCOW, day_and_time
from gateways import report_storage
from gateways.report_storage import ReportFile, ReportKey
from tests.clinic import Clinic
from tests.integration import mail_cases as cases
from tests.reading import plain
from tests.waiting import until

PATIENCE_SECONDS = 20
NAMED = '{"name": "Анна"}'


@pytest.fixture
def worker(environment: pytest.MonkeyPatch) -> Iterator[dramatiq.Worker]:
    worker = dramatiq.Worker(broker, queues={"emails"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    broker.close()


def mails() -> list[EmailMessage]:
    files = sorted(settings.current().email_outbox_dir.glob("*.eml"))
    return [email.message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=default) for file in files]


def queue(conn: Connection, template: str, variables: str = NAMED, to: str | None = "anna@example.com") -> None:
    with conn.cursor() as cursor:
        cursor.execute("SELECT public.queue_email_task(%s, 'Тема', %s, %s)", (to, template, variables))


def wait_for(conn: Connection, count: int) -> list[str]:
    """The states of the deliveries, once `count` have settled and no message is left."""
    settled = Clinic(conn)
    states = "SELECT state FROM balansity.delivery WHERE state NOT IN ('planned', 'sending')"
    until(lambda: len(settled.rows(states)) >= count, f"{count} deliveries settle")
    broker.join("emails", timeout=PATIENCE_SECONDS * 1000)
    return [state for (state,) in settled.rows(states)]


def test_a_mail_queued_in_sql_leaves(worker: dramatiq.Worker, connection: Connection) -> None:
    queue(connection, "report_ready", '{"name": "Иван"}')
    assert wait_for(connection, 1) == ["sent"]
    (mail,) = mails()
    assert mail["To"] == "anna@example.com"


def test_a_mail_sent_by_application_code_leaves(worker: dramatiq.Worker, connection: Connection) -> None:
    send_email.send(
        to="anna@example.com", subject="Тема", template="report_ready", variables={"name": "Анна"}, priority=0
    )
    assert wait_for(connection, 1) == ["sent"]


def test_a_mail_without_a_key_is_found_by_where_its_message_came_from(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    queue(connection, "report_ready")
    message = send_email.send(
        to="boris@example.com", subject="Тема", template="report_ready", variables={"name": "Борис"}
    )
    wait_for(connection, 2)
    queued = cases.row(connection, "SELECT msg_id FROM pgmq.a_email_queue")["msg_id"]
    keys = cases.row(connection, "SELECT array_agg(key) AS keys FROM balansity.delivery")["keys"]
    assert set(keys) == {f"pgmq:email_queue:{queued}", f"message:{message.message_id}"}


def test_a_queue_created_anew_counts_from_one_again_and_its_mails_leave_all_the_same(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    queue(connection, "report_ready")
    assert wait_for(connection, 1) == ["sent"]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pgmq.q_email_queue ALTER COLUMN msg_id RESTART")
        cursor.execute("TRUNCATE pgmq.a_email_queue")
    queue(connection, "report_ready")
    assert wait_for(connection, 2) == ["sent", "sent"]


def test_what_cannot_be_sent_is_in_the_ledger_and_no_dead_letter(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    queue(connection, "report_ready", to=None)
    queue(connection, "newsletter")
    assert wait_for(connection, 2) == ["failed", "failed"]
    assert cases.row(connection, "SELECT array_agg(DISTINCT state::text) FROM dramatiq.queue") == {
        "array_agg": ["done"]
    }


def test_a_message_of_the_wrong_shape_is_in_the_ledger_with_what_is_wrong(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("""SELECT pgmq.send('email_queue', '{"to": "a@example.com", "subject": "Тема",
            "template": "report_ready", "variables": ["anna"]}')""")
    assert wait_for(connection, 1) == ["failed"]
    assert cases.row(connection, "SELECT reason, attempts FROM balansity.delivery") == {
        "reason": "variables is wrong: Input should be a valid dictionary or instance of Variables",
        "attempts": 0,
    }


def calendar_entry(mail: EmailMessage) -> Any:
    (file,) = (part for part in mail.iter_attachments() if part.get_content_type() == "application/ics")
    calendar = Calendar.from_ical(file.get_content())
    (invitation,) = (part for part in mail.walk() if part.get_content_type() == "text/calendar")
    assert invitation.get_param("method") == calendar["method"]  # Outlook takes it for none where the two differ
    assert Calendar.from_ical(invitation.get_content()) == calendar
    (event,) = calendar.walk("VEVENT")
    assert event["attendee"] == "mailto:anna@example.com"
    return event


def in_days(days: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def test_a_booking_is_confirmed_with_a_calendar_file(worker: dramatiq.Worker, connection: Connection) -> None:
    begins = in_days(3)
    Clinic(connection).book_for(Clinic(connection).add_family(), begins)
    assert wait_for(connection, 1) == ["sent"]
    (mail,) = mails()
    assert mail["Subject"] == "Подтверждение записи на консультацию"
    assert calendar_entry(mail).decoded("dtstart") == begins


def test_a_moved_and_a_cancelled_consultation_update_the_calendar(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    appointment = Clinic(connection).book_for(Clinic(connection).add_family(), in_days(3))
    wait_for(connection, 1)
    for count, change in ((2, "scheduled_at = scheduled_at + interval '1 day'"), (3, "status = 'cancelled'")):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE public.appointments SET " + change)
        wait_for(connection, count)
    entries = {mail["X-Balansity-Template"]: calendar_entry(mail) for mail in mails()}
    booked, moved, cancelled = (entries[f"appointment_{kind}"] for kind in ("confirmation", "moved", "cancelled"))
    assert {event["uid"] for event in (booked, moved, cancelled)} == {f"{appointment}@balansity.example"}
    assert moved.decoded("dtstart") - booked.decoded("dtstart") == timedelta(days=1)
    assert cancelled["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("moves", "ends"),
    [
        (["1 day", "-1 day"], ["sent", "superseded", "superseded"]),
        (["1 day", "1 day"], ["sent", "superseded", "sent"]),
    ],
)
def test_quick_moves_are_told_from_the_time_that_the_family_heard_of(
    worker: dramatiq.Worker, connection: Connection, moves: list[str], ends: list[str]
) -> None:
    begins = in_days(3)
    appointment = Clinic(connection).book_for(Clinic(connection).add_family(), begins)
    assert wait_for(connection, 1) == ["sent"]
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        for move in moves:
            cursor.execute("UPDATE public.appointments SET scheduled_at = scheduled_at + %s::interval", (move,))
        cursor.execute("COMMIT")
    assert sorted(wait_for(connection, 3)) == sorted(ends)
    moved = [mail for mail in mails() if "moved" in mail["X-Balansity-Template"]]
    told = [plain(mail.get_body(("plain",)).get_content()) for mail in moved]  # type: ignore[union-attr]
    assert len(told) == ends.count("sent") - 1
    assert all(f"Вместо {plain(day_and_time(begins, MOSCOW))}" in text for text in told)
    assert cases.row(connection, "SELECT DISTINCT appointment_id FROM balansity.delivery WHERE state = 'sent'") == {
        "appointment_id": appointment
    }


def test_a_move_back_is_told_to_a_family_that_heard_of_the_other_time(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    Clinic(connection).book_for(Clinic(connection).add_family(), in_days(3))
    assert wait_for(connection, 1) == ["sent"]
    for count, move in ((2, "1 day"), (3, "-1 day")):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE public.appointments SET scheduled_at = scheduled_at + %s::interval", (move,))
        assert wait_for(connection, count) == ["sent"] * count


@pytest.mark.parametrize(
    ("status", "days", "change"),
    [
        ("scheduled", 3, "notes = 'окно'"),
        ("pending", 3, "status = 'confirmed'"),
        ("scheduled", -3, "status = 'cancelled'"),
        ("completed", 3, "scheduled_at = scheduled_at + interval '1 day'"),
        ("cancelled", 3, "scheduled_at = scheduled_at + interval '1 day'"),
    ],
)
def test_a_change_that_is_no_news_to_the_family_sends_nothing(
    connection: Connection, status: str, days: int, change: str
) -> None:
    Clinic(connection).book_for(Clinic(connection).add_family(), in_days(days), status)
    before = cases.row(connection, "SELECT count(*) FROM pgmq.q_email_queue")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE public.appointments SET " + change)
    assert cases.row(connection, "SELECT count(*) FROM pgmq.q_email_queue") == before


def test_the_report_is_attached(worker: dramatiq.Worker, connection: Connection) -> None:
    assessment = UUID(Clinic(connection).add_completed_checkup(Clinic(connection).add_family()))
    file = ReportFile("otchet.pdf", "application/pdf", b"%PDF-1.7")
    report_id = report_storage.save(connection, ReportKey(assessment, "pdf", "d"), None, file, datetime.now(UTC))
    send_email.send(
        to="anna@example.com",
        subject="Тема",
        template="report_ready",
        variables={"name": "Анна"},
        report_id=str(report_id),
    )
    assert wait_for(connection, 1) == ["sent"]
    (mail,) = mails()
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("otchet.pdf", b"%PDF-1.7")
    assert "во вложении" in plain(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]


def test_a_report_that_is_gone_fails_the_mail(worker: dramatiq.Worker, connection: Connection) -> None:
    send_email.send(
        to="anna@example.com",
        subject="Тема",
        template="report_ready",
        variables={"name": "Анна"},
        report_id=str(UUID(int=1)),
    )
    assert wait_for(connection, 1) == ["failed"]


def test_a_report_of_40_mb_fails_the_mail(worker: dramatiq.Worker, connection: Connection) -> None:
    assessment = UUID(Clinic(connection).add_completed_checkup(Clinic(connection).add_family()))
    file = ReportFile("otchet.pdf", "application/pdf", bytes(40_000_000))
    report_id = report_storage.save(connection, ReportKey(assessment, "pdf", "d"), None, file, datetime.now(UTC))
    send_email.send(
        to="anna@example.com",
        subject="Тема",
        template="report_ready",
        variables={"name": "Анна"},
        report_id=str(report_id),
    )
    assert wait_for(connection, 1) == ["failed"]
    assert "40,000,000 bytes" in cases.row(connection, "SELECT reason FROM balansity.delivery")["reason"]


def test_an_older_deployment_without_the_newer_columns_gets_its_mails(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE public.appointments DROP COLUMN duration_minutes, DROP COLUMN timezone, "
            "DROP COLUMN video_room_url, DROP COLUMN specialist_id"
        )
    Clinic(connection).book_for(Clinic(connection).add_family(), in_days(3))
    assert wait_for(connection, 1) == ["sent"]
