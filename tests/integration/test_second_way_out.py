"""While the first provider is away, mails with a deadline leave by the second, unless the first may have taken them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import dramatiq
import pytest
from click.testing import CliRunner

import settings
from actors.emails import send_email
from broker import broker
from commands.doctor import doctor
from db.connection import Connection
from gateways import availability
from mail import pace
from tests.clinic import Clinic
from tests.servers import sendgrid as sendgrid_server
from tests.servers import smtp as smtp_server
from tests.servers.sendgrid import Reply, SendGrid
from tests.servers.smtp import Mailbox
from tests.waiting import until

# A worker's thread keeps its SMTP connection as long as it lives.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

DOWN = Reply(503, {"errors": [{"message": "down for repairs", "field": None}]})
HOUR = timedelta(hours=1)
STATE = """
    INSERT INTO balansity.provider_state (provider, state, since, reason, noticed_by, next_probe_at)
    VALUES (%s, %s, now(), 'odd', 'a test', now() + %s)
    ON CONFLICT (provider) DO UPDATE SET state = excluded.state, next_probe_at = excluded.next_probe_at
"""
LOOK_NOW = """
    UPDATE dramatiq.queue SET delayed = false, available_at = now() WHERE state = 'queued' AND message_id = %s;
    SELECT dramatiq.ring(ARRAY['emails'])
"""
SETTLED = "SELECT state = 'done' OR delayed FROM dramatiq.queue WHERE message_id = %s"
TAKEN_BY = "SELECT state, provider FROM balansity.delivery WHERE message_id = %s"


@pytest.fixture
def second() -> Iterator[Mailbox]:
    with smtp_server.running() as mailbox:
        yield mailbox


@pytest.fixture
def first(environment: pytest.MonkeyPatch, second: Mailbox) -> Iterator[SendGrid]:
    """SendGrid comes first, SMTP is the second way out, and a worker uses them."""
    with sendgrid_server.running() as running:
        environment.setenv("EMAIL_PROVIDER", "sendgrid")
        environment.setenv("EMAIL_FALLBACK_PROVIDER", "smtp")
        environment.setenv("SENDGRID_API_KEY", sendgrid_server.KEY)
        environment.setenv("SENDGRID_API_URL", running.url)
        environment.setenv("SMTP_HOST", "127.0.0.1")
        environment.setenv("SMTP_PORT", str(second.port))
        environment.setenv("SMTP_TLS", "off")
        settings.current.cache_clear()
        pace.stock.clear()
        availability.seen.clear()
        worker = dramatiq.Worker(broker, queues={"emails"}, worker_timeout=100, worker_threads=2)
        worker.start()
        yield running
        worker.stop()
        broker.close()
        pace.stock.clear()
        availability.seen.clear()


def remind(clinic: Clinic) -> str:
    """Remind of a consultation, and wait until the mail is sent or held; its message."""
    at = datetime.now(UTC).replace(microsecond=0) + 20 * HOUR
    clinic.rows("ALTER TABLE public.appointments DISABLE TRIGGER on_new_appointment")  # nor confirm it
    appointment = clinic.book(clinic.add_user(), at)
    variables = {"appointment_id": appointment, "scheduled_at": at.isoformat()}
    return settled(clinic, template="appointment_reminder_1h", variables=variables)


def receipt(clinic: Clinic) -> str:
    return settled(clinic, template="payment_confirmation", variables={"amount": 5000})


def settled(clinic: Clinic, **order: object) -> str:
    message_id = send_email.send(to="anna@example.com", subject="Тема", **order).message_id
    until(partial(clinic.value, SETTLED, message_id), "it is sent or held")
    return message_id


def set_state(clinic: Clinic, provider: str, state: str, probe_in: timedelta = HOUR) -> None:
    clinic.rows(STATE, provider, state, probe_in)
    availability.seen.clear()


def look(clinic: Clinic, message_id: str) -> None:
    """Let a message that waits look again, and wait until it is sent or held."""
    clinic.rows(LOOK_NOW, message_id)
    until(partial(clinic.value, SETTLED, message_id), "it is sent or held")


def lines(clinic: Clinic) -> list[str]:
    return [provider for (provider,) in clinic.rows("SELECT provider FROM balansity.held_message ORDER BY provider")]


def test_a_reminder_takes_the_second_way_and_a_receipt_waits_for_the_first(
    first: SendGrid, second: Mailbox, clinic: Clinic
) -> None:
    first.scripted += [DOWN] * 100
    told, owed = remind(clinic), receipt(clinic)
    assert clinic.rows(TAKEN_BY, told) == [("sent", "smtp")]
    assert clinic.rows(TAKEN_BY, owed) == [("planned", None)]
    attempts = (
        "SELECT a.provider, outcome FROM balansity.delivery_attempt a JOIN balansity.delivery d ON d.id = delivery_id"
    )
    assert clinic.rows(f"{attempts} WHERE message_id = %s ORDER BY number", told) == [
        ("sendgrid", "planned"),
        ("smtp", "sent"),
    ]
    assert (len(second.accepted), lines(clinic)) == (1, ["sendgrid"])
    said = CliRunner().invoke(doctor, env={"COLUMNS": "200"}).output
    assert "Mail leaves through sendgrid, with a deadline through smtp while that is away" in said

    first.scripted.clear()
    set_state(clinic, "sendgrid", "away", timedelta())
    look(clinic, owed)
    assert clinic.rows(TAKEN_BY, owed) == [("sent", "sendgrid")]
    assert clinic.rows(TAKEN_BY, remind(clinic)) == [("sent", "sendgrid")], "the first is back"
    assert (len(second.accepted), len(first.accepted)) == (1, 2)


@pytest.mark.parametrize("left_behind", ["unknown", None], ids=["no answer came", "its worker died"])
def test_what_the_first_may_have_taken_never_goes_to_the_second(
    first: SendGrid, second: Mailbox, clinic: Clinic, left_behind: str | None
) -> None:
    first.scripted.append(Reply(0))
    message_id = remind(clinic)
    assert clinic.rows(TAKEN_BY, message_id) == [("unknown", None)]
    clinic.rows("UPDATE balansity.delivery_attempt SET outcome = %s", left_behind)
    clinic.rows("UPDATE balansity.delivery SET changed_at = changed_at - interval '1 hour'")
    set_state(clinic, "sendgrid", "away")
    look(clinic, message_id)
    assert (len(second.accepted), lines(clinic)) == (0, ["sendgrid"])
    set_state(clinic, "sendgrid", "available")
    look(clinic, message_id)
    assert (clinic.rows(TAKEN_BY, message_id), len(second.accepted)) == ([("sent", "sendgrid")], 0)


def test_with_both_away_a_reminder_goes_by_whichever_is_back_first(
    first: SendGrid, second: Mailbox, clinic: Clinic
) -> None:
    first.scripted += [DOWN] * 100
    second.mail_replies += ["421 4.3.2 down for repairs"]
    message_id = remind(clinic)
    assert clinic.rows(TAKEN_BY, message_id) == [("planned", None)]
    assert (lines(clinic), len(second.accepted)) == (["sendgrid", "smtp"], 0)
    tries = "SELECT coalesce((message #>> '{options,retries}')::int, 0) FROM dramatiq.queue"
    assert clinic.value(tries) == 0
    set_state(clinic, "smtp", "away", timedelta())
    set_state(clinic, "sendgrid", "away")
    look(clinic, message_id)
    assert (clinic.rows(TAKEN_BY, message_id), lines(clinic)) == ([("sent", "smtp")], [])


def test_a_first_provider_that_is_unheard_of_gets_no_reminder(first: SendGrid, second: Mailbox, clinic: Clinic) -> None:
    set_state(clinic, "sendgrid", "unheard", timedelta())
    assert clinic.rows(TAKEN_BY, remind(clinic)) == [("sent", "smtp")]
    assert clinic.rows(TAKEN_BY, receipt(clinic)) == [("sent", "sendgrid")], "its probe"
    assert (len(first.accepted), len(second.accepted)) == (1, 1)


@pytest.mark.parametrize(
    ("state", "waits", "probes"),
    [("away", False, True), ("away", True, False), ("probing", False, True), ("unheard", False, False)],
)
def test_who_has_another_way_probes_only_where_nobody_else_will(
    undone: Connection, state: str, waits: bool, probes: bool
) -> None:
    clinic = Clinic(undone)
    clinic.rows(STATE, "sendgrid", state, timedelta())
    if waits:
        clinic.rows("INSERT INTO balansity.held_message VALUES (%s, 'sendgrid', 'infinity')", str(uuid4()))
    assert clinic.value("SELECT balansity.take_probe('sendgrid', gen_random_uuid())") is probes
    assert clinic.value("SELECT balansity.take_probe('sendgrid', gen_random_uuid())") is False, "one at a time"
