"""A mail goes out once, and the ledger says why it did or did not."""

import contextlib
import email
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from dramatiq.errors import Retry
from hypothesis import given, strategies
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings
from actors.delivery import deliver
from db import queries
from domain.mail_order import Variables, read_order
from domain.mail_template import TEMPLATES
from errors import InvalidMessage, RetryableError
from tests.integration import mail_cases as cases

pytestmark = pytest.mark.usefixtures("environment")


def outbox() -> list[EmailMessage]:
    files = sorted(settings.current().email_outbox_dir.glob("*.eml"))
    return [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]


def order(template: str = "report_ready", **more: Any) -> dict[str, Any]:
    return {"to": "anna@example.com", "subject": "Ваш отчет готов", "template": template, "variables": {}, **more}


def send(payload: dict[str, Any], message_id: str = "m1") -> None:
    deliver(read_order(payload), message_id)


def ledger(conn: Connection) -> dict[str, Any]:
    return cases.row(conn, "SELECT * FROM balansity.delivery")


def test_a_mail_reaches_the_outbox_and_the_ledger(connection: Connection) -> None:
    send(order(variables={"name": "Иван"}, key="report:1"))
    (mail,) = outbox()
    assert (mail["To"], mail["Subject"]) == ("anna@example.com", "Ваш отчет готов")
    assert "Здравствуйте, Иван!" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    row = ledger(connection)
    assert (row["key"], row["state"], row["attempts"], row["reason"]) == ("report:1", "sent", 1, None)
    attempt = cases.row(connection, "SELECT * FROM balansity.delivery_attempt")
    assert (attempt["outcome"], attempt["provider"]) == ("sent", "file")
    assert attempt["started_at"] <= attempt["finished_at"]


def test_the_same_message_again_sends_nothing(connection: Connection) -> None:
    send(order())
    send(order())
    assert len(outbox()) == 1
    assert ledger(connection)["attempts"] == 1


def test_another_message_with_the_same_key_sends_nothing() -> None:
    send(order(key="reminder:1"), "m1")
    send(order(key="reminder:1"), "m2")
    assert len(outbox()) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"to": None}, "no recipient"),
        ({"to": "   "}, "no recipient"),
        ({"to": 5}, "no recipient"),
        ({"to": "anna"}, "malformed"),
        ({"to": "anna@example.com\r\nBcc: eve@example.com"}, "malformed"),
        ({"to": "анна@example.com"}, "malformed"),
        ({"subject": ""}, "subject is empty"),
        ({"subject": None}, "subject is empty"),
        ({"subject": "Отчет\r\nBcc: eve@example.com"}, "line break"),
        ({"subject": "x" * 251}, "251 characters"),
        ({"template": "newsletter"}, "unknown template 'newsletter'; there are appointment_cancelled"),
        ({"template": None}, "unknown template None"),
        ({"template": "../layout"}, "unknown template"),
        ({"template": "appointment_reminder_1h"}, "could not say when"),
        ({"template": "payment_confirmation"}, "could not say what was paid"),
        ({"template": "payment_failed", "variables": {"amount": "много"}}, "variables.amount"),
        ({"template": "payment_failed", "variables": {"payment_id": "7"}}, "variables.payment_id"),
        ({"template": "payment_failed", "variables": {"amount": "1e30"}}, "variables.amount"),
        ({"template": "appointment_reminder_1h", "variables": {"scheduled_at": "завтра"}}, "variables.scheduled_at"),
        (
            {"template": "appointment_reminder_1h", "variables": {"scheduled_at": "0001-01-01T00:00:00+14:00"}},
            "variables.scheduled_at",
        ),
    ],
)
def test_what_cannot_be_sent_is_failed_with_its_reason(
    connection: Connection, change: dict[str, Any], reason: str
) -> None:
    send({**order(), **change})
    row = ledger(connection)
    assert (row["state"], row["attempts"]) == ("failed", 0)
    assert reason in row["reason"]
    assert outbox() == []


@pytest.mark.parametrize("payload", [{"variables": []}, {"variables": "x"}, {"report_id": "five"}])
def test_a_message_of_the_wrong_shape_is_refused_naming_the_key(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage, match=next(iter(payload))):
        send({**order(), **payload})


def test_a_letter_that_cannot_be_written_is_failed_with_its_reason(connection: Connection) -> None:
    family = cases.add_family(connection)
    appointment = cases.add_appointment(
        connection, family, datetime.max.replace(tzinfo=UTC, microsecond=0), "cancelled"
    )
    send(order("appointment_cancelled", variables={"appointment_id": appointment}))
    row = ledger(connection)
    assert (row["state"], row["attempts"]) == ("failed", 0)
    assert "the letter cannot be written: OverflowError" in row["reason"]


def test_optional_keys_that_cannot_be_read_do_not_keep_a_mail_back(connection: Connection) -> None:
    send(order(key=17, user_id="guest", created_at="yesterday", variables={"completed_at": "yesterday"}))
    row = ledger(connection)
    assert (row["state"], row["key"], row["user_id"]) == ("sent", "message:m1", None)


def test_many_messages_with_one_key_at_once_send_one_mail(connection: Connection) -> None:
    together = threading.Barrier(8)

    def one_of_eight(number: int) -> None:
        together.wait()
        with contextlib.suppress(Retry):  # another one is sending it
            send(order(key="k"), f"m{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one_of_eight, range(8)))
    assert len(outbox()) == 1
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("sent", 1)


JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False)
    | strategies.text(),
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = strategies.sampled_from(sorted(Variables.model_fields))


@hypothesis.settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@given(
    to=JSON | strategies.just("anna@example.com"),
    subject=JSON | strategies.just("Тема"),
    kind=JSON | strategies.sampled_from(sorted(TEMPLATES)),
    variables=strategies.dictionaries(NAMES, JSON | strategies.just("2030-01-01T10:00:00Z"), max_size=6),
)
def test_whatever_is_ordered_ends_in_the_ledger(
    connection: Connection, to: Any, subject: Any, kind: Any, variables: dict[str, Any]
) -> None:
    message_id = str(uuid4())
    send({"to": to, "subject": subject, "template": kind, "variables": variables}, message_id)
    row = cases.row(connection, "SELECT * FROM balansity.delivery WHERE message_id = %s", message_id)
    assert row["state"] in {"sent", "failed", "superseded"}
    assert (row["reason"] is None) == (row["state"] == "sent")


def test_nothing_is_sent_while_another_message_is_sending_it(connection: Connection) -> None:
    _begin_sending(connection, "m1", datetime.now(UTC))
    with pytest.raises(Retry):
        send(order(key="k"), "m2")
    assert outbox() == []
    assert ledger(connection)["state"] == "sending"


def test_a_lost_answer_is_unknown_and_sent_again_after_the_quiet_period(connection: Connection) -> None:
    _begin_sending(connection, "m1", datetime.now(UTC))
    with pytest.raises(Retry) as waiting:
        send(order(key="k"), "m1")
    assert waiting.value.delay == pytest.approx(30 * 60_000, abs=5_000)
    assert ledger(connection)["state"] == "unknown"
    _pass_time(connection, timedelta(minutes=31))
    send(order(key="k"), "m1")
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("sent", 2)


def test_a_lost_answer_about_a_payment_is_left_to_a_person(connection: Connection) -> None:
    family = cases.add_family(connection)
    payment = order("payment_confirmation", key="k", variables={"payment_id": cases.add_payment(connection, family)})
    _begin_sending(connection, "m1", datetime.now(UTC), "payment_confirmation")
    send(payment, "m1")
    _pass_time(connection, timedelta(days=1))
    send(payment, "m1")
    assert ledger(connection)["state"] == "unknown"
    assert outbox() == []


def test_a_stale_attempt_of_a_message_that_never_came_back_is_unknown(connection: Connection) -> None:
    _begin_sending(connection, "m1", datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(Retry):
        send(order(key="k"), "m2")
    assert ledger(connection)["state"] == "unknown"


def test_a_late_answer_to_an_earlier_attempt_moves_nothing(connection: Connection) -> None:
    at = datetime.now(UTC)
    delivery = _begin_sending(connection, "m1", at - timedelta(minutes=6))
    _begin_sending(connection, "m2", at)
    queries.load("deliveries").finish_attempt(
        connection, delivery_id=delivery, number=1, outcome="planned", answer="busy", provider_message_id=None, at=at
    )
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("sending", 2)


def test_an_outbox_that_cannot_be_written_is_tried_again(
    connection: Connection, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    environment.setenv("EMAIL_OUTBOX_DIR", str(tmp_path / "file" / "outbox"))
    settings.current.cache_clear()
    with pytest.raises(RetryableError, match="EMAIL_OUTBOX_DIR"):
        send(order())
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("planned", 1)


def _begin_sending(conn: Connection, message_id: str, at: datetime, kind: str = "report_ready") -> str:
    """What a worker that dies in the middle of its call leaves behind."""
    delivery_id, state, number, _ = queries.load("deliveries").begin(
        conn,
        key="k",
        message_id=message_id,
        template=kind,
        recipient="anna@example.com",
        subject="Ваш отчет готов",
        user_id=None,
        refusal=None,
        reason=None,
        essential=False,
        patience=timedelta(),
        provider="smtp",
        at=at,
    )
    assert (state, number is None) == ("sending", False)
    return str(delivery_id)


def _pass_time(conn: Connection, span: timedelta) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE balansity.delivery SET changed_at = changed_at - %s", (span,))


class TestGuards:
    """A mail whose reason is gone when it fires is recorded, not sent."""

    at = datetime.now(UTC).replace(microsecond=0)

    def reminder(self, conn: Connection, kind: str, begins_in: timedelta, status: str = "scheduled") -> dict[str, Any]:
        appointment = cases.add_appointment(conn, cases.add_family(conn), self.at + begins_in, status)
        variables = {"appointment_id": appointment, "scheduled_at": (self.at + begins_in).isoformat()}
        return order(f"appointment_reminder_{kind}", variables=variables)

    @pytest.mark.parametrize("status", ["scheduled", "confirmed"])
    @pytest.mark.parametrize(("kind", "hours"), [("24h", 24), ("24h", 2), ("1h", 1)])
    def test_a_reminder_of_a_booked_appointment_goes_out(
        self, connection: Connection, kind: str, hours: int, status: str
    ) -> None:
        send(self.reminder(connection, kind, timedelta(hours=hours, minutes=-1), status))
        assert ledger(connection)["state"] == "sent"

    @pytest.mark.parametrize("status", ["pending", "cancelled", "completed", "in_progress", "no_show"])
    def test_a_reminder_of_any_other_appointment_does_not(self, connection: Connection, status: str) -> None:
        send(self.reminder(connection, "24h", timedelta(hours=24), status))
        assert (ledger(connection)["state"], outbox()) == ("superseded", [])
        assert status in ledger(connection)["reason"]

    @pytest.mark.parametrize(("kind", "minutes"), [("24h", 59), ("1h", -1)])
    def test_a_reminder_that_comes_too_late_does_not(self, connection: Connection, kind: str, minutes: int) -> None:
        send(self.reminder(connection, kind, timedelta(minutes=minutes)))
        assert ledger(connection)["state"] == "superseded"

    def test_a_reminder_of_a_moved_appointment_does_not(self, connection: Connection) -> None:
        payload = self.reminder(connection, "24h", timedelta(hours=24))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE public.appointments SET scheduled_at = scheduled_at + interval '1 day'")
        send(payload)
        assert (ledger(connection)["state"], outbox()) == ("superseded", [])

    @pytest.mark.parametrize(("minutes", "state"), [(-30, "sent"), (-45, "superseded")])
    def test_a_confirmation_goes_out_until_the_appointment_is_over(
        self, connection: Connection, minutes: int, state: str
    ) -> None:
        begins_at = self.at + timedelta(minutes=minutes)
        appointment = cases.add_appointment(connection, cases.add_family(connection), begins_at)
        send(order("appointment_confirmation", variables={"appointment_id": appointment}))
        assert ledger(connection)["state"] == state

    def test_a_mail_about_an_appointment_that_is_gone_does_not(self, connection: Connection) -> None:
        send(order("appointment_confirmation", variables={"appointment_id": str(uuid4())}))
        assert ledger(connection)["state"] == "superseded"

    @pytest.mark.parametrize(
        ("kind", "status", "state"),
        [
            ("payment_confirmation", "completed", "sent"),
            ("payment_confirmation", "refunded", "superseded"),
            ("payment_failed", "failed", "sent"),
            ("payment_failed", "completed", "superseded"),
            ("payment_refunded", "refunded", "sent"),
        ],
    )
    def test_a_payment_mail_goes_out_while_it_is_true(
        self, connection: Connection, kind: str, status: str, state: str
    ) -> None:
        payment = cases.add_payment(connection, cases.add_family(connection), status)
        send(order(kind, variables={"payment_id": payment, "amount": 5000}))
        assert ledger(connection)["state"] == state
