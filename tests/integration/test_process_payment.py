"""A payment message asks the provider, believes it only about the same money, and takes effect once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dramatiq
import pytest

from actors.payments import process_payment
from broker import broker
from errors import InvalidMessage, PermanentError
from tests.clinic import Clinic
from tests.integration.payment_cases import payment_of
from tests.servers.yookassa import YooKassa
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("shop")

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def worker(shop: YooKassa) -> Iterator[dramatiq.Worker]:
    worker = dramatiq.Worker(broker, queues={"payments"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    broker.close()


@pytest.mark.parametrize(
    ("theirs", "ours", "mails"),
    [
        ("succeeded", "completed", ["payment_confirmation"]),
        ("canceled", "failed", ["payment_failed"]),
        ("pending", "pending", []),
        ("waiting_for_capture", "pending", []),
    ],
)
def test_verify_takes_on_the_providers_word_once(
    clinic: Clinic, shop: YooKassa, theirs: str, ours: str, mails: list[str]
) -> None:
    payment = payment_of(clinic, shop.add_payment(theirs))
    for _ in range(3):
        process_payment(payment_id=payment, action="verify")
    assert clinic.payment_status(payment) == ours
    assert clinic.payment_mails() == mails


def test_verify_confirms_the_consultation(clinic: Clinic, shop: YooKassa) -> None:
    user = clinic.add_user()
    appointment = clinic.book(user, TOMORROW, "pending")
    metadata = {"appointment_id": appointment}
    payment = clinic.add_payment(user, metadata, external_payment_id=shop.add_payment())
    process_payment(payment_id=payment, action="verify", created_at="2026-11-25T10:00:00Z")
    assert clinic.appointment(appointment) == ("confirmed", payment)


@pytest.mark.parametrize(("value", "currency"), [("4999.99", "RUB"), ("5000.00", "USD")])
def test_other_money_confirms_nothing_and_is_flagged(clinic: Clinic, shop: YooKassa, value: str, currency: str) -> None:
    payment = payment_of(clinic, shop.add_payment("succeeded", value, currency))
    process_payment(payment_id=payment, action="verify")
    assert clinic.payment_status(payment) == "pending"
    assert clinic.flags(payment) == [f"the provider says {value} {currency}, we have 5000.00 RUB"]
    assert clinic.messages("email_queue") == []


def test_a_cancelled_payment_stays_cancelled_when_the_provider_agrees(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("canceled"), "cancelled")
    process_payment(payment_id=payment, action="verify")
    assert (clinic.payment_status(payment), clinic.flags(payment)) == ("cancelled", [])


def test_money_for_a_cancelled_payment_is_flagged(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("succeeded"), "cancelled")
    process_payment(payment_id=payment, action="verify")
    assert clinic.payment_status(payment) == "cancelled"
    assert clinic.flags(payment) == ["the provider says completed, we have cancelled"]


def test_update_status_brings_about_what_is_missing(clinic: Clinic, shop: YooKassa) -> None:
    user = clinic.add_user()
    payment = clinic.add_payment(user, status="completed")
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=payment)
    for _ in range(2):
        process_payment(payment_id=payment, action="update_status")
    assert clinic.appointment(appointment) == ("confirmed", payment)
    assert clinic.payment_mails() == ["payment_confirmation"]


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


def test_a_message_that_nothing_can_be_done_about_says_why(clinic: Clinic, shop: YooKassa) -> None:
    with pytest.raises(PermanentError, match="There is no payment"):
        process_payment(payment_id=str(uuid4()), action="verify")
    with pytest.raises(PermanentError, match="no external_payment_id"):
        process_payment(payment_id=payment_of(clinic, None), action="verify")
    with pytest.raises(PermanentError, match="only a completed one"):
        process_payment(payment_id=payment_of(clinic, shop.add_payment()), action="refund")
    by_card = clinic.add_payment(clinic.add_user(), external_payment_id="x", payment_method="stripe")
    with pytest.raises(PermanentError, match="only yookassa"):
        process_payment(payment_id=by_card, action="verify")
    assert shop.requests == []


def test_a_message_from_sql_outlives_a_provider_in_trouble(
    clinic: Clinic, shop: YooKassa, worker: dramatiq.Worker
) -> None:
    payment = payment_of(clinic, shop.add_payment())
    shop.answers += [503, "no json"]
    clinic.rows("SELECT public.queue_payment_processing(%s, 'verify')", payment)
    until(lambda: clinic.payment_status(payment) == "completed", "it is verified")
    assert len(shop.requests) == 3
    assert clinic.payment_mails() == ["payment_confirmation"]
