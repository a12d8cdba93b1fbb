"""The e-mail actor on a real worker: what is queued in SQL leaves as mail."""

import email
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default

import dramatiq
import pytest
from icalendar import Calendar
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings
from actors.emails import send_email
from broker import broker
from tests.integration import mail_cases as cases

PATIENCE_SECONDS = 20


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


def queue(conn: Connection, template: str, variables: str = "{}", to: str | None = "anna@example.com") -> None:
    with conn.cursor() as cursor:
        cursor.execute("SELECT public.queue_email_task(%s, 'Тема', %s, %s)", (to, template, variables))


def wait_for(conn: Connection, count: int) -> list[str]:
    """The states of the first `count` deliveries that settle."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with conn.cursor() as cursor:
            cursor.execute("SELECT state FROM balansity.delivery WHERE state NOT IN ('planned', 'sending')")
            if cursor.rowcount >= count:
                broker.join("emails", timeout=PATIENCE_SECONDS * 1000)
                return [state for (state,) in cursor.fetchall()]
        time.sleep(0.02)
    raise AssertionError(f"fewer than {count} deliveries settled")


def test_a_mail_queued_in_sql_leaves(worker: dramatiq.Worker, connection: Connection) -> None:
    queue(connection, "report_ready", '{"name": "Иван"}')
    assert wait_for(connection, 1) == ["sent"]
    (mail,) = mails()
    assert mail["To"] == "anna@example.com"


def test_a_mail_sent_by_application_code_leaves(worker: dramatiq.Worker, connection: Connection) -> None:
    send_email.send(to="anna@example.com", subject="Тема", template="report_ready", variables={}, priority=0)
    assert wait_for(connection, 1) == ["sent"]


def test_what_cannot_be_sent_is_in_the_ledger_and_no_dead_letter(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    queue(connection, "report_ready", to=None)
    queue(connection, "newsletter")
    assert wait_for(connection, 2) == ["failed", "failed"]
    assert cases.row(connection, "SELECT array_agg(DISTINCT state::text) FROM dramatiq.queue") == {
        "array_agg": ["done"]
    }


def test_a_message_of_the_wrong_shape_becomes_a_dead_letter(worker: dramatiq.Worker, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("""SELECT pgmq.send('email_queue', '{"to": "anna@example.com", "variables": [1]}')""")
    queue(connection, "report_ready")
    wait_for(connection, 1)
    dead = cases.row(connection, "SELECT error FROM dramatiq.queue WHERE state = 'rejected'")
    assert "variables" in dead["error"]
    assert "anna@example.com" not in dead["error"]


def test_a_confirmation_carries_the_calendar_file(worker: dramatiq.Worker, connection: Connection) -> None:
    family = cases.add_family(connection)
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    appointment = cases.add_appointment(connection, family, begins)
    queue(connection, "appointment_confirmation", f'{{"appointment_id": "{appointment}"}}')
    assert wait_for(connection, 1) == ["sent"]
    (mail,) = mails()
    (file,) = mail.iter_attachments()
    assert file.get_content_type() == "text/calendar"
    (event,) = Calendar.from_ical(file.get_content()).walk("VEVENT")
    assert event.decoded("dtstart") == begins


def test_an_older_deployment_without_the_newer_columns_gets_its_mails(
    worker: dramatiq.Worker, connection: Connection
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE public.appointments DROP COLUMN duration_minutes, DROP COLUMN timezone, "
            "DROP COLUMN video_room_url, DROP COLUMN specialist_id"
        )
    appointment = cases.add_appointment(connection, cases.add_family(connection), datetime.now(UTC) + timedelta(days=3))
    queue(connection, "appointment_confirmation", f'{{"appointment_id": "{appointment}"}}')
    assert wait_for(connection, 1) == ["sent"]
