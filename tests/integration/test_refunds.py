"""Money is given back once, however often it is asked for and whatever became of the answer."""

from datetime import UTC, datetime

import pytest

from actors.payments import process_payment
from errors import PermanentError, RetryableError
from tests.clinic import Clinic
from tests.integration.payment_cases import SCHEDULE, asked_about_until_given_up, payment_of
from tests.servers.yookassa import YooKassa


def test_a_refund_gives_money_back_once(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment(), "completed")
    for _ in range(2):
        process_payment(payment_id=payment, action="refund")
    assert clinic.payment_status(payment) == "refunded"
    assert clinic.payment_mails() == ["payment_refunded"]
    assert list(shop.refunds) == [payment]


@pytest.mark.parametrize("outcome", ["succeeded", "pending"])
def test_a_refund_whose_answer_was_lost_is_one_refund(clinic: Clinic, shop: YooKassa, outcome: str) -> None:
    payment = payment_of(clinic, shop.add_payment(), "completed")
    shop.refund_status = outcome
    shop.meanwhile = lambda: shop.answers.append("lost")  # after the answer about the payment
    with pytest.raises(RetryableError):
        process_payment(payment_id=payment, action="refund")
    process_payment(payment_id=payment, action="refund")
    assert clinic.payment_status(payment) == {"succeeded": "refunded", "pending": "completed"}[outcome]
    assert list(shop.refunds) == [payment]


def test_other_money_is_not_given_back(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("succeeded", "50000.00"), "completed")
    process_payment(payment_id=payment, action="refund")
    assert (clinic.payment_status(payment), shop.refunds) == ("completed", {})
    assert len(clinic.flags(payment)) == 1


def test_a_refund_made_in_the_providers_cabinet_is_noticed(clinic: Clinic, shop: YooKassa) -> None:
    external_id = shop.add_payment()
    shop.give_back(external_id, "5000.00")
    payment = payment_of(clinic, external_id, "completed")
    process_payment(payment_id=payment, action="verify")
    assert clinic.payment_status(payment) == "refunded"


@pytest.mark.parametrize(("ours", "action"), [("pending", "verify"), ("completed", "verify"), ("completed", "refund")])
def test_a_refund_in_part_is_flagged_and_nothing_else_happens(
    clinic: Clinic, shop: YooKassa, ours: str, action: str
) -> None:
    external_id = shop.add_payment()
    shop.give_back(external_id, "2500.00")
    payment = payment_of(clinic, external_id, ours)
    process_payment(payment_id=payment, action=action)
    assert (clinic.payment_status(payment), shop.refunds, clinic.payment_mails()) == (ours, {}, [])
    assert clinic.flags(payment) == ["the provider has given back 2500.00 of 5000.00 RUB"]


def pending_refund(clinic: Clinic, shop: YooKassa) -> str:
    shop.refund_status = "pending"
    payment = payment_of(clinic, shop.add_payment(), "completed")
    process_payment(payment_id=payment, action="refund")
    assert clinic.payment_status(payment) == "completed"
    return payment


def test_a_pending_refund_is_asked_about_at_growing_intervals_and_then_given_up(clinic: Clinic, shop: YooKassa) -> None:
    payment = pending_refund(clinic, shop)
    since = clinic.value("SELECT since FROM balansity.payment_check")
    assert asked_about_until_given_up(clinic, since) == SCHEDULE
    assert clinic.flags(payment) == ["refund pending for 3 days"]


@pytest.mark.parametrize("action", ["verify", "refund"])
def test_a_pending_refund_that_is_given_in_the_end_is_told_once(clinic: Clinic, shop: YooKassa, action: str) -> None:
    payment = pending_refund(clinic, shop)
    process_payment(payment_id=payment, action=action)
    clinic.rows("SELECT balansity.flag_stuck_payments(now() + interval '4 days')")
    shop.settle_refund(payment, "succeeded")
    for _ in range(2):
        process_payment(payment_id=payment, action=action)
    assert (clinic.payment_status(payment), clinic.flags(payment)) == ("refunded", [])
    assert clinic.payment_mails() == ["payment_refunded"]
    assert [method for method, _ in shop.requests].count("POST") == 1


def test_a_pending_refund_that_is_canceled_in_the_end_is_flagged_and_never_asked_for_again(
    clinic: Clinic, shop: YooKassa
) -> None:
    payment = pending_refund(clinic, shop)
    shop.settle_refund(payment, "canceled")
    for _ in range(2):
        process_payment(payment_id=payment, action="verify")
    assert (clinic.payment_status(payment), clinic.flags(payment)) == (
        "completed",
        ["refund canceled: insufficient_funds"],
    )
    assert asked_about_until_given_up(clinic, datetime.now(UTC)) == []
    assert [method for method, _ in shop.requests].count("POST") == 1


def test_a_refund_that_the_provider_refuses_is_flagged(clinic: Clinic, shop: YooKassa) -> None:
    external_id = shop.add_payment()
    payment = payment_of(clinic, external_id, "completed")
    shop.refund_status = "pending"
    shop.create_refund("made by hand", {"payment_id": external_id, "amount": {"value": "1.00", "currency": "RUB"}})
    with pytest.raises(PermanentError, match="exceeds"):
        process_payment(payment_id=payment, action="refund")
    assert clinic.payment_status(payment) == "completed"
    [flag] = clinic.flags(payment)
    assert flag.startswith("refund refused: YooKassa answered 400")


def test_a_refund_that_the_provider_cancels_is_flagged(clinic: Clinic, shop: YooKassa) -> None:
    shop.refund_status = "canceled"
    payment = payment_of(clinic, shop.add_payment(), "completed")
    process_payment(payment_id=payment, action="refund")
    assert clinic.payment_status(payment) == "completed"
    assert clinic.flags(payment) == ["refund canceled: insufficient_funds"]
