"""A mail goes out once, and the ledger says why it did or did not."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from dramatiq.errors import Retry
from hypothesis import given, strategies

from db.connection import Connection
from gateways import mail as gateway
from gateways.mail.envelope import Mail
from mail import attempt
from mail.attempt import Attempt, Wait
from mail.order import Variables
from mail.template import TEMPLATES
from tests.clinic import Clinic
from tests.integration import mail_cases as cases
from tests.integration.ledger_cases import begin_sending, finish, ledger, order, outbox, pass_time, send
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("environment")


def test_a_mail_reaches_the_outbox_and_the_ledger(connection: Connection) -> None:
    send(order(variables={"name": "Иван"}, key="report:1"))
    (mail,) = outbox()
    assert (mail["To"], mail["Subject"]) == ("anna@example.com", "Ваш отчет готов")
    assert "Здравствуйте, Иван!" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    row = ledger(connection)
    assert (row["key"], row["state"], row["attempts"], row["reason"]) == ("report:1", "sent", 1, None)
    attempt = cases.row(connection, "SELECT * FROM balansity.delivery_attempt")
    assert (attempt["outcome"], attempt["provider"]) == ("sent", "file")
    assert attempt["answer"] == "written to EMAIL_OUTBOX_DIR"
    assert attempt["provider_message_id"] == row["provider_message_id"] == f"report_ready-{row['id']}.eml"
    assert attempt["started_at"] <= attempt["finished_at"]


def test_the_same_message_again_sends_nothing(connection: Connection) -> None:
    send(order())
    send(order())
    assert ledger(connection)["attempts"] == 1


def test_another_message_with_the_same_key_sends_nothing(connection: Connection) -> None:
    send(order(key="reminder:1"), "m1")
    send(order(key="reminder:1"), "m2")
    assert ledger(connection)["attempts"] == 1


def test_a_key_that_looks_like_one_of_pgmq_is_a_business_key_all_the_same(connection: Connection) -> None:
    send(order(key="pgmq:mine:1"), "m1")
    send(order(key="pgmq:mine:1"), "m2")
    assert ledger(connection)["attempts"] == 1


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
        ({"template": "newsletter"}, "unknown template: `balansity preview` lists them"),
        ({"template": None}, "unknown template"),
        ({"template": "../layout"}, "unknown template"),
        ({"template": "report-ready"}, "unknown template, perhaps report_ready: "),
        ({"template": "appointment_reminder_1h"}, "could not say when"),
        ({"template": "payment_confirmation"}, "could not say what was paid"),
        ({"variables": None}, "variables.assessment_id and variables.name are missing"),
        ({"template": "checkup_completed", "variables": {"name": " "}}, "variables.assessment_id and variables.name"),
        ({"variables": "x"}, "variables is wrong"),
        ({"variables": []}, "variables is wrong"),
        ({"report_id": "five"}, "report_id is wrong"),
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


def test_a_letter_that_cannot_be_written_is_failed_with_its_reason(connection: Connection) -> None:
    family = Clinic(connection).add_family()
    payment = Clinic(connection).add_payment(family.user_id, status="failed", amount="NaN")
    send(order("payment_failed", variables={"payment_id": payment}))
    row = ledger(connection)
    assert (row["state"], row["attempts"]) == ("failed", 0)
    assert "the letter cannot be written: ValidationError" in row["reason"]


def test_optional_keys_that_cannot_be_read_do_not_keep_a_mail_back(connection: Connection) -> None:
    send(
        order(key=17, user_id="guest", created_at="yesterday", variables={"name": "Анна", "completed_at": "yesterday"})
    )
    row = ledger(connection)
    assert (row["state"], row["key"], row["user_id"]) == ("sent", "message:m1", None)


def test_a_delivery_that_waits_for_a_lock_holds_up_no_other(
    connection: Connection, connect: Callable[[], Connection]
) -> None:
    send(order(key="one"), "m1")
    other = connect()
    other.autocommit = False
    cases.row(other, "SELECT id FROM balansity.delivery FOR UPDATE")
    with ThreadPoolExecutor(1) as threads:
        held_up = threads.submit(send, order(key="one"), "m2")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        until(lambda: cases.row(connection, waiting)["count"], "the lock is waited for")
        send(order(key="two"), "m3")
        assert len(outbox()) == 2
        assert not held_up.done()
        other.rollback()
    held_up.result()


def test_many_messages_with_one_key_at_once_send_one_mail(connection: Connection) -> None:
    together = threading.Barrier(8)

    def one_of_eight(number: int) -> None:
        together.wait()
        with contextlib.suppress(Wait):  # another one is sending it
            send(order(key="k"), f"m{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one_of_eight, range(8)))
    for number in range(8):
        send(order(key="k"), f"m{number}")
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
    begin_sending(connection, "m1")
    with pytest.raises(Retry):
        send(order(key="k"), "m2")
    assert outbox() == []
    assert ledger(connection)["state"] == "sending"


def test_a_lost_answer_is_unknown_and_sent_again_after_the_quiet_period(connection: Connection) -> None:
    begin_sending(connection, "m1")
    with pytest.raises(Retry) as waiting:
        send(order(key="k"), "m1")
    assert waiting.value.delay == pytest.approx(30 * 60_000, abs=5_000)
    assert ledger(connection)["state"] == "unknown"
    pass_time(connection, timedelta(minutes=31))
    send(order(key="k"), "m1")
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("sent", 2)


def test_a_lost_answer_about_a_payment_is_left_to_a_person(connection: Connection) -> None:
    family = Clinic(connection).add_family()
    payment = order(
        "payment_confirmation",
        key="k",
        variables={"payment_id": Clinic(connection).add_payment(family.user_id, {}, status="completed")},
    )
    begin_sending(connection, "m1", "payment_confirmation")
    send(payment, "m1")
    pass_time(connection, timedelta(days=1))
    send(payment, "m1")
    assert ledger(connection)["state"] == "unknown"
    assert outbox() == []


def test_a_stale_attempt_of_a_message_that_never_came_back_is_unknown(connection: Connection) -> None:
    begin_sending(connection, "m1", ago=timedelta(minutes=6))
    with pytest.raises(Retry):
        send(order(key="k"), "m2")
    assert ledger(connection)["state"] == "unknown"


def test_a_late_answer_to_an_earlier_attempt_moves_nothing(connection: Connection) -> None:
    delivery = begin_sending(connection, "m1", ago=timedelta(minutes=6))
    begin_sending(connection, "m2")
    finish(connection, delivery, 1, "planned", "busy")
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("sending", 2)


def test_an_acceptance_counts_however_late_and_whatever_became_of_later_attempts(connection: Connection) -> None:
    delivery = begin_sending(connection, "m1", ago=timedelta(minutes=6))
    begin_sending(connection, "m2")
    finish(connection, delivery, 2, "failed", "550 no such user")
    assert ledger(connection)["state"] == "failed"
    finish(connection, delivery, 1, "sent", "250 OK")
    assert (ledger(connection)["state"], ledger(connection)["reason"]) == ("sent", None)


def test_a_failure_does_not_undo_the_late_acceptance_of_an_earlier_attempt(connection: Connection) -> None:
    delivery = begin_sending(connection, "m1", ago=timedelta(minutes=6))
    begin_sending(connection, "m2")
    finish(connection, delivery, 1, "sent", "250 OK")
    finish(connection, delivery, 2, "failed", "550 no such user")
    assert ledger(connection)["state"] == "sent"


def test_a_late_answer_settles_what_was_unknown_meanwhile(connection: Connection) -> None:
    message_id = str(uuid4())
    delivery = begin_sending(connection, message_id, "payment_confirmation")
    send(order("payment_confirmation", key="k", variables={"amount": 5000}), message_id)
    assert ledger(connection)["state"] == "unknown"
    finish(connection, delivery, 1, "planned", "451 busy")
    assert ledger(connection)["state"] == "planned"
    finish(connection, delivery, 1, "failed", "550 no such user")
    assert ledger(connection)["state"] == "planned"


def test_a_gateway_that_breaks_off_leaves_an_unknown_mail_and_what_broke(connection: Connection) -> None:
    delivery = begin_sending(connection, "m1")
    mail = Mail("report_ready", "anna@example.com", "Тема", "<p>Т</p>", "\ud800", (), delivery)  # no UTF-8 has that
    with pytest.raises(ValueError, match="surrogates not allowed"):
        attempt.call(Attempt(1, mail, gateway.provider()), str(uuid4()))
    answered = cases.row(connection, "SELECT outcome, answer FROM balansity.delivery_attempt")
    assert answered == {"outcome": "unknown", "answer": "the call to the provider broke off: UnicodeEncodeError"}
    assert (ledger(connection)["state"], ledger(connection)["reason"]) == ("unknown", answered["answer"])
    with pytest.raises(Wait):
        send(order(key="k"), "m1")
