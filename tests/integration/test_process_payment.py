"""A payment message asks the provider, believes it only about the same money, and takes effect once."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dramatiq
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings
from actors.payments import process_payment, verify_open_payments
from broker import broker
from errors import InvalidMessage, PermanentError, RetryableError
from tests.clinic import Clinic
from tests.integration.payment_cases import shop
from tests.servers.yookassa import YooKassa

TOMORROW = datetime.now(UTC) + timedelta(days=1)
MINUTE = timedelta(minutes=1)
PATIENCE_SECONDS = 60


@pytest.fixture
def provider(environment: pytest.MonkeyPatch) -> Iterator[YooKassa]:
    with shop(environment) as provider:
        yield provider


@pytest.fixture
def worker(provider: YooKassa) -> Iterator[dramatiq.Worker]:
    worker = dramatiq.Worker(broker, queues={"payments"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    broker.close()


@pytest.fixture
def clinic(connection: Connection, provider: YooKassa) -> Clinic:
    return Clinic(connection)


def status(clinic: Clinic, payment_id: str) -> str:
    return str(clinic.value("SELECT status FROM public.payments WHERE id = %s", payment_id))


def payment_mails(clinic: Clinic) -> list[str]:
    return [template for template in clinic.templates() if template.startswith("payment")]


def payment_of(clinic: Clinic, external_id: str | None, status: str = "pending", metadata: Any = None) -> str:
    return clinic.add_payment(clinic.add_user(), metadata, status=status, external_payment_id=external_id)


@pytest.mark.parametrize(
    ("theirs", "ours", "mails"),
    [
        ("succeeded", "completed", ["payment_confirmation"]),
        ("canceled", "failed", ["payment_failed"]),
        ("pending", "processing", []),
        ("waiting_for_capture", "processing", []),
    ],
)
def test_verify_takes_on_the_providers_word_once(
    clinic: Clinic, provider: YooKassa, theirs: str, ours: str, mails: list[str]
) -> None:
    payment = payment_of(clinic, provider.add_payment(theirs))
    for _ in range(3):
        process_payment(payment_id=payment, action="verify")
    assert status(clinic, payment) == ours
    assert payment_mails(clinic) == mails


def test_verify_confirms_the_consultation(clinic: Clinic, provider: YooKassa) -> None:
    user = clinic.add_user()
    appointment = clinic.book(user, TOMORROW, "pending")
    metadata = {"appointment_id": appointment}
    payment = clinic.add_payment(user, metadata, external_payment_id=provider.add_payment())
    process_payment(payment_id=payment, action="verify", created_at="2026-11-25T10:00:00Z")
    assert clinic.appointment(appointment) == ("confirmed", payment)


@pytest.mark.parametrize(("value", "currency"), [("4999.99", "RUB"), ("5000.00", "USD")])
def test_other_money_confirms_nothing_and_is_flagged(
    clinic: Clinic, provider: YooKassa, value: str, currency: str
) -> None:
    payment = payment_of(clinic, provider.add_payment("succeeded", value, currency))
    process_payment(payment_id=payment, action="verify")
    assert status(clinic, payment) == "pending"
    assert clinic.flags(payment) == [f"the provider says {value} {currency}, we have 5000.00 RUB"]
    assert clinic.messages("email_queue") == []


def test_a_cancelled_payment_stays_cancelled_when_the_provider_agrees(clinic: Clinic, provider: YooKassa) -> None:
    payment = payment_of(clinic, provider.add_payment("canceled"), "cancelled")
    process_payment(payment_id=payment, action="verify")
    assert (status(clinic, payment), clinic.flags(payment)) == ("cancelled", [])


def test_money_for_a_cancelled_payment_is_flagged(clinic: Clinic, provider: YooKassa) -> None:
    payment = payment_of(clinic, provider.add_payment("succeeded"), "cancelled")
    process_payment(payment_id=payment, action="verify")
    assert status(clinic, payment) == "cancelled"
    assert clinic.flags(payment) == ["the provider says completed, we have cancelled"]


def test_a_refund_gives_money_back_once(clinic: Clinic, provider: YooKassa) -> None:
    payment = payment_of(clinic, provider.add_payment(), "completed")
    for _ in range(2):
        process_payment(payment_id=payment, action="refund")
    assert status(clinic, payment) == "refunded"
    assert payment_mails(clinic) == ["payment_refunded"]
    assert list(provider.refunds) == [payment]


@pytest.mark.parametrize("outcome", ["succeeded", "pending"])
def test_a_refund_whose_answer_was_lost_is_one_refund(clinic: Clinic, provider: YooKassa, outcome: str) -> None:
    payment = payment_of(clinic, provider.add_payment(), "completed")
    provider.refund_status = outcome
    provider.meanwhile = lambda: provider.answers.append("lost")  # after the answer about the payment
    with pytest.raises(RetryableError):
        process_payment(payment_id=payment, action="refund")
    process_payment(payment_id=payment, action="refund")
    assert status(clinic, payment) == {"succeeded": "refunded", "pending": "completed"}[outcome]
    assert list(provider.refunds) == [payment]


def test_other_money_is_not_given_back(clinic: Clinic, provider: YooKassa) -> None:
    payment = payment_of(clinic, provider.add_payment("succeeded", "50000.00"), "completed")
    process_payment(payment_id=payment, action="refund")
    assert (status(clinic, payment), provider.refunds) == ("completed", {})
    assert len(clinic.flags(payment)) == 1


def test_a_refund_made_in_the_providers_cabinet_is_noticed(clinic: Clinic, provider: YooKassa) -> None:
    external_id = provider.add_payment()
    provider.give_back(external_id, "5000.00")
    payment = payment_of(clinic, external_id, "completed")
    process_payment(payment_id=payment, action="verify")
    assert status(clinic, payment) == "refunded"


@pytest.mark.parametrize(("ours", "action"), [("pending", "verify"), ("completed", "verify"), ("completed", "refund")])
def test_a_refund_in_part_is_flagged_and_nothing_else_happens(
    clinic: Clinic, provider: YooKassa, ours: str, action: str
) -> None:
    external_id = provider.add_payment()
    provider.give_back(external_id, "2500.00")
    payment = payment_of(clinic, external_id, ours)
    process_payment(payment_id=payment, action=action)
    assert (status(clinic, payment), provider.refunds, payment_mails(clinic)) == (ours, {}, [])
    assert clinic.flags(payment) == ["the provider has given back 2500.00 of 5000.00 RUB"]


def pending_refund(clinic: Clinic, provider: YooKassa) -> str:
    provider.refund_status = "pending"
    payment = payment_of(clinic, provider.add_payment(), "completed")
    process_payment(payment_id=payment, action="refund")
    assert status(clinic, payment) == "completed"
    return payment


def asked_about_until_given_up(clinic: Clinic, since: datetime) -> list[int]:
    """After how many minutes, in four days of looking every five."""
    asked = []
    for minutes in range(0, 4 * 24 * 60, 5):
        now = since + minutes * MINUTE
        if clinic.rows("SELECT balansity.claim_payment_checks(%s)", now):
            asked.append(minutes)
        clinic.rows("SELECT balansity.flag_stuck_payments(%s)", now)
    return asked


def test_a_pending_refund_is_asked_about_at_growing_intervals_and_then_given_up(
    clinic: Clinic, provider: YooKassa
) -> None:
    payment = pending_refund(clinic, provider)
    since = clinic.value("SELECT since FROM balansity.payment_check")
    assert asked_about_until_given_up(clinic, since) == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert clinic.flags(payment) == ["refund pending for 3 days"]


@pytest.mark.parametrize("action", ["verify", "refund"])
def test_a_pending_refund_that_is_given_in_the_end_is_told_once(
    clinic: Clinic, provider: YooKassa, action: str
) -> None:
    payment = pending_refund(clinic, provider)
    process_payment(payment_id=payment, action=action)
    clinic.rows("SELECT balansity.flag_stuck_payments(now() + interval '4 days')")
    provider.settle_refund(payment, "succeeded")
    for _ in range(2):
        process_payment(payment_id=payment, action=action)
    assert (status(clinic, payment), clinic.flags(payment)) == ("refunded", [])
    assert payment_mails(clinic) == ["payment_refunded"]
    assert [method for method, _ in provider.requests].count("POST") == 1


def test_a_pending_refund_that_is_canceled_in_the_end_is_flagged_and_never_asked_for_again(
    clinic: Clinic, provider: YooKassa
) -> None:
    payment = pending_refund(clinic, provider)
    provider.settle_refund(payment, "canceled")
    for _ in range(2):
        process_payment(payment_id=payment, action="verify")
    assert (status(clinic, payment), clinic.flags(payment)) == ("completed", ["refund canceled: insufficient_funds"])
    assert asked_about_until_given_up(clinic, datetime.now(UTC)) == []
    assert [method for method, _ in provider.requests].count("POST") == 1


def test_a_refund_that_the_provider_refuses_is_flagged(clinic: Clinic, provider: YooKassa) -> None:
    external_id = provider.add_payment()
    payment = payment_of(clinic, external_id, "completed")
    provider.refund_status = "pending"
    provider.create_refund("made by hand", {"payment_id": external_id, "amount": {"value": "1.00", "currency": "RUB"}})
    with pytest.raises(PermanentError, match="exceeds"):
        process_payment(payment_id=payment, action="refund")
    assert status(clinic, payment) == "completed"
    [flag] = clinic.flags(payment)
    assert flag.startswith("refund refused: YooKassa answered 400")


def test_a_refund_that_the_provider_cancels_is_flagged(clinic: Clinic, provider: YooKassa) -> None:
    provider.refund_status = "canceled"
    payment = payment_of(clinic, provider.add_payment(), "completed")
    process_payment(payment_id=payment, action="refund")
    assert status(clinic, payment) == "completed"
    assert clinic.flags(payment) == ["refund canceled: insufficient_funds"]


def test_update_status_brings_about_what_is_missing(clinic: Clinic, provider: YooKassa) -> None:
    user = clinic.add_user()
    payment = clinic.add_payment(user, status="completed")
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=payment)
    for _ in range(2):
        process_payment(payment_id=payment, action="update_status")
    assert clinic.appointment(appointment) == ("confirmed", payment)
    assert payment_mails(clinic) == ["payment_confirmation"]


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({}, "payment_id is missing; action is missing"),
        ({"payment_id": "anna@example.com", "action": "verify"}, "payment_id is wrong"),
        ({"payment_id": str(uuid4()), "action": "steal"}, "action is wrong"),
        ({"action": "verify"}, "payment_id is missing"),
    ],
)
def test_a_malformed_message_is_refused_in_one_line_that_quotes_nothing(
    clinic: Clinic, payload: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidMessage, match=rf"^Not a payment message: {named}.*$") as refused:
        process_payment(**payload)
    assert "anna@example.com" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_message_that_nothing_can_be_done_about_says_why(clinic: Clinic, provider: YooKassa) -> None:
    with pytest.raises(PermanentError, match="There is no payment"):
        process_payment(payment_id=str(uuid4()), action="verify")
    with pytest.raises(PermanentError, match="no external_payment_id"):
        process_payment(payment_id=payment_of(clinic, None), action="verify")
    with pytest.raises(PermanentError, match="only a completed one"):
        process_payment(payment_id=payment_of(clinic, provider.add_payment()), action="refund")
    by_card = clinic.add_payment(clinic.add_user(), external_payment_id="x", payment_method="stripe")
    with pytest.raises(PermanentError, match="only yookassa"):
        process_payment(payment_id=by_card, action="verify")
    assert provider.requests == []


def test_a_message_from_sql_outlives_a_provider_in_trouble(
    clinic: Clinic, provider: YooKassa, worker: dramatiq.Worker
) -> None:
    payment = payment_of(clinic, provider.add_payment())
    provider.answers += [503, "no json"]
    clinic.rows("SELECT public.queue_payment_processing(%s, 'verify')", payment)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while status(clinic, payment) != "completed":
        assert time.monotonic() < deadline, "it was not verified in time"
        time.sleep(0.05)
    assert len(provider.requests) == 3
    assert payment_mails(clinic) == ["payment_confirmation"]


def test_an_open_payment_is_asked_about_at_growing_intervals_and_then_given_up(
    clinic: Clinic, provider: YooKassa
) -> None:
    payment = payment_of(clinic, provider.add_payment("pending"))
    created = clinic.value("SELECT created_at FROM public.payments")
    assert asked_about_until_given_up(clinic, created) == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert clinic.flags(payment) == ["open for 3 days"]


def test_another_attempt_at_an_old_payment_has_three_days_of_its_own(clinic: Clinic, provider: YooKassa) -> None:
    payment = payment_of(clinic, provider.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '30 days'")
    for attempt in ("first", "second"):
        clinic.rows("SELECT balansity.flag_stuck_payments(now() + interval '4 days')")
        assert clinic.flags(payment) == ["open for 3 days"]
        clinic.set_payment(payment, "failed")
        assert clinic.flags(payment) == []
        clinic.pay_anew(payment, attempt)
        again = clinic.value("SELECT since FROM balansity.payment_check")
        assert asked_about_until_given_up(clinic, again) == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]


def test_what_a_person_has_resolved_stays_resolved_while_the_payment_stays_open(
    clinic: Clinic, provider: YooKassa
) -> None:
    payment = payment_of(clinic, provider.add_payment("pending", "1.00"))
    stuck = "SELECT balansity.flag_stuck_payments(now() + interval '4 days')"
    process_payment(payment_id=payment, action="verify")
    clinic.rows(stuck)
    assert len(clinic.flags(payment)) == 2
    clinic.rows("UPDATE balansity.payment_flag SET resolved_at = now()")
    process_payment(payment_id=payment, action="verify")
    clinic.rows(stuck)
    assert clinic.rows("SELECT FROM balansity.payment_flag WHERE resolved_at IS NULL") == []


def test_payments_that_the_provider_does_not_know_are_given_up_without_asking(clinic: Clinic) -> None:
    completed = payment_of(clinic, "x", "completed")
    opened = [payment_of(clinic, None), payment_of(clinic, "", "processing")]
    opened.append(clinic.add_payment(clinic.add_user(), external_payment_id="x", payment_method="stripe"))
    assert asked_about_until_given_up(clinic, datetime.now(UTC)) == []
    assert [clinic.flags(payment) for payment in opened] == [["open for 3 days"]] * 3
    assert clinic.flags(completed) == []


def test_the_job_sends_a_verify_for_each_open_payment(clinic: Clinic, provider: YooKassa) -> None:
    payment = payment_of(clinic, provider.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    verify_open_payments("2026-11-20T10:05:00+00:00")
    sent = clinic.rows("SELECT message -> 'kwargs' FROM dramatiq.queue WHERE queue_name = 'payments'")
    assert sent == [({"payment_id": payment, "action": "verify"},)]
    assert clinic.value("SELECT outcome FROM balansity.slot") == "1 asked about, 0 given up, 0 appointments confirmed"


def test_without_a_shop_the_job_asks_nobody(
    clinic: Clinic, provider: YooKassa, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("YOOKASSA_SHOP_ID", "")
    environment.setenv("YOOKASSA_SECRET_KEY", "")
    settings.current.cache_clear()
    payment_of(clinic, provider.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    old = payment_of(clinic, provider.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '30 days' WHERE id = %s", old)
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows("SELECT FROM dramatiq.queue") == []
    assert clinic.flags(old) == ["open for 3 days"]


def test_checks_and_their_messages_are_claimed_together_or_not_at_all(clinic: Clinic, provider: YooKassa) -> None:
    payment_of(clinic, provider.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    old = payment_of(clinic, None)
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '4 days' WHERE id = %s", old)
    clinic.rows("ALTER TABLE balansity.payment_flag ADD CONSTRAINT unwilling CHECK (reason <> 'open for 3 days')")
    with pytest.raises(psycopg2.errors.CheckViolation):
        verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows("SELECT FROM dramatiq.queue") == clinic.rows("SELECT FROM balansity.payment_check") == []
    clinic.rows("ALTER TABLE balansity.payment_flag DROP CONSTRAINT unwilling")
    verify_open_payments("2026-11-20T10:10:00+00:00")
    assert len(clinic.rows("SELECT FROM dramatiq.queue")) == 1
    assert len(clinic.rows("SELECT FROM balansity.payment_check")) == 1


def test_a_consultation_linked_after_its_payment_completed_is_confirmed(clinic: Clinic) -> None:
    user = clinic.add_user()
    paid, open_ = clinic.add_payment(user), clinic.add_payment(user)
    clinic.set_payment(paid, "completed")
    appointments = [clinic.book(user, TOMORROW, "pending", payment_id=payment) for payment in (paid, open_)]
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert [clinic.appointment(each)[0] for each in appointments] == ["confirmed", "pending"]
