"""An open payment is asked about at growing intervals, and in the end left to a person."""

from datetime import UTC, datetime, timedelta

import pytest

import settings
from actors.payments import process_payment, verify_open_payments
from tests.clinic import Clinic
from tests.integration.batch_cases import refuse
from tests.integration.payment_cases import SCHEDULE, asked_about_until_given_up, payment_of
from tests.servers.yookassa import YooKassa

pytestmark = pytest.mark.usefixtures("shop")

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def test_an_open_payment_is_asked_about_at_growing_intervals_and_then_given_up(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("pending"))
    created = clinic.value("SELECT created_at FROM public.payments")
    assert asked_about_until_given_up(clinic, created) == SCHEDULE
    assert clinic.flags(payment) == ["open for 3 days"]


def test_an_outage_of_the_provider_is_no_time_to_answer(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("pending"))
    created = clinic.value("SELECT created_at FROM public.payments")
    away = (
        "INSERT INTO balansity.outage SELECT 'yookassa', %s + interval '1 hour', %s + interval '25 hours' RETURNING 1"
    )
    clinic.rows(away, created, created)
    away = "INSERT INTO balansity.outage SELECT 'smtp', %s, %s + interval '9 days' RETURNING 1"
    clinic.rows(away, created, created)
    clinic.rows("SELECT balansity.flag_stuck_payments(%s + interval '95 hours')", created)
    assert clinic.flags(payment) == []
    clinic.rows("SELECT balansity.flag_stuck_payments(%s + interval '96 hours')", created)
    assert clinic.flags(payment) == ["open for 3 days"]


def test_during_an_outage_nothing_is_given_up_and_one_check_waits_for_all(clinic: Clinic, shop: YooKassa) -> None:
    payments = [payment_of(clinic, shop.add_payment("pending")) for _ in range(2)]
    created = clinic.value("SELECT max(created_at) FROM public.payments")
    clinic.rows("SELECT balansity.provider_failed('yookassa', 'down', 'a worker', NULL)")
    assert asked_about_until_given_up(clinic, created)[-1] > 3 * 24 * 60, "past three days"
    assert [clinic.flags(payment) for payment in payments] == [[], []]
    clinic.rows("DELETE FROM balansity.payment_check RETURNING 1")
    message = process_payment.send(payment_id=payments[0], action="verify")
    clinic.rows("SELECT balansity.ask_for_provider('yookassa', %s, NULL)", message.message_id)
    assert asked_about_until_given_up(clinic, created) == []
    clinic.rows("SELECT balansity.provider_worked('yookassa', 'a worker')")
    clinic.rows("UPDATE balansity.outage SET ended_at = now() + interval '10 days' RETURNING 1")
    after = "SELECT payment_id FROM balansity.claim_payment_checks(%s + interval '10 days') AS due (payment_id)"
    assert {payment for (payment,) in clinic.rows(after, created)} == set(payments)


def test_another_attempt_at_an_old_payment_has_three_days_of_its_own(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '30 days'")
    for attempt in ("first", "second"):
        clinic.rows("SELECT balansity.flag_stuck_payments(now() + interval '4 days')")
        assert clinic.flags(payment) == ["open for 3 days"]
        clinic.set_payment(payment, "failed")
        assert clinic.flags(payment) == []
        clinic.pay_anew(payment, attempt)
        again = clinic.value("SELECT since FROM balansity.payment_check")
        assert asked_about_until_given_up(clinic, again) == SCHEDULE


def test_what_a_person_has_resolved_stays_resolved_while_the_payment_stays_open(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("pending", "1.00"))
    stuck = "SELECT balansity.flag_stuck_payments(now() + interval '4 days')"
    process_payment(payment_id=payment, action="verify")
    clinic.rows(stuck)
    assert len(clinic.flags(payment)) == 2
    clinic.rows("UPDATE balansity.payment_flag SET resolved_at = now()")
    process_payment(payment_id=payment, action="verify")
    clinic.rows(stuck)
    assert clinic.rows("SELECT FROM balansity.payment_flag WHERE resolved_at IS NULL") == []


def test_payments_that_no_provider_knows_trouble_nobody(clinic: Clinic) -> None:
    completed = payment_of(clinic, "x", "completed")
    opened = [payment_of(clinic, None), payment_of(clinic, "", "processing")]
    opened.append(clinic.add_payment(clinic.add_user(), external_payment_id="y", payment_method="stripe"))
    assert asked_about_until_given_up(clinic, datetime.now(UTC)) == []
    assert [clinic.flags(payment) for payment in opened] == [[]] * 3
    assert clinic.flags(completed) == []


def test_the_job_sends_a_verify_for_each_open_payment(clinic: Clinic, shop: YooKassa) -> None:
    payment = payment_of(clinic, shop.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    verify_open_payments("2026-11-20T10:05:00+00:00")
    sent = clinic.rows("SELECT message -> 'kwargs' FROM dramatiq.queue WHERE queue_name = 'payments'")
    assert sent == [({"payment_id": payment, "action": "verify"},)]
    assert clinic.value("SELECT outcome FROM balansity.slot") == "1 asked about, 0 given up, 0 appointments confirmed"


def test_without_a_shop_the_job_asks_nobody(clinic: Clinic, shop: YooKassa, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("YOOKASSA_SHOP_ID", "")
    environment.setenv("YOOKASSA_SECRET_KEY", "")
    settings.current.cache_clear()
    payment_of(clinic, shop.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    old = payment_of(clinic, shop.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '30 days' WHERE id = %s", old)
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows("SELECT FROM dramatiq.queue") == []
    assert clinic.flags(old) == ["open for 3 days"]


def test_checks_and_their_messages_are_claimed_together_or_not_at_all(clinic: Clinic, shop: YooKassa) -> None:
    payment_of(clinic, shop.add_payment("pending"))
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    refuse(clinic, "dramatiq.queue", "true", events="INSERT")
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows("SELECT FROM dramatiq.queue") == clinic.rows("SELECT FROM balansity.payment_check") == []
    clinic.rows("DROP TRIGGER react ON dramatiq.queue")
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
