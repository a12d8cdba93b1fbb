"""The site and our actor at the same payment at the same moment: the site never fails, and nothing is flagged."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from actors.payments import process_payment
from db.connection import Connection
from errors import RetryableError
from tests.clinic import Clinic
from tests.integration.payment_cases import deliver
from tests.servers.yookassa import YooKassa
from tests.waiting import until

TOMORROW = datetime.now(UTC) + timedelta(days=1)
ROUNDS = 20


def anybody_waits(clinic: Clinic, count: int) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(clinic.value(waiting) >= count)


def paid(clinic: Clinic, external_id: str, status: str = "pending") -> tuple[str, str]:
    """A payment and the consultation that is linked to it."""
    user = clinic.add_user()
    payment = clinic.add_payment(user, status=status, external_payment_id=external_id)
    return payment, clinic.book(user, TOMORROW, "pending", payment_id=payment)


def assert_settled_once(clinic: Clinic, payment: str, appointment: str) -> None:
    assert clinic.appointment(appointment) == ("confirmed", payment)
    assert clinic.flags(payment) == []
    keys = [mail["key"] for mail in clinic.messages("email_queue") if mail["variables"].get("payment_id") == payment]
    assert keys == [f"payment:{payment}:completed"]


@pytest.mark.parametrize("action", ["verify", "update_status"])
def test_where_both_wait_for_each_other_ours_gives_up(
    clinic: Clinic, connect: Callable[[], Connection], shop: YooKassa, action: str
) -> None:
    """The site has the consultation and waits for the payment; we have the payment and come for the consultation."""
    payment, appointment = paid(clinic, shop.add_payment(), "pending" if action == "verify" else "completed")
    pause, site = Clinic(connect()), Clinic(connect())
    pause.connection.autocommit = site.connection.autocommit = False
    pause.rows("INSERT INTO balansity.payment_settlement VALUES (%s, 'completed', now(), '')", payment)
    site.rows("UPDATE public.appointments SET notes = 'окно' WHERE id = %s", appointment)
    with ThreadPoolExecutor(2) as threads:
        ours = threads.submit(process_payment, payment_id=payment, action=action)
        until(lambda: anybody_waits(clinic, 1) or ours.done())  # in the middle of its transaction
        theirs = threads.submit(site.rows, "UPDATE public.payments SET updated_at = now() WHERE id = %s", payment)
        until(lambda: anybody_waits(clinic, 2) or theirs.done() or ours.done())
        pause.connection.rollback()
        theirs.result()
        site.connection.commit()
        assert isinstance(ours.exception(), RetryableError)
    deliver(payment, action)
    assert_settled_once(clinic, payment, appointment)


@pytest.mark.parametrize("consultation_first", [False, True])
@pytest.mark.parametrize("action", ["verify", "update_status"])
def test_the_site_completing_the_payment_at_the_same_moment_never_fails(
    clinic: Clinic, connect: Callable[[], Connection], shop: YooKassa, action: str, consultation_first: bool
) -> None:
    """As one statement on the payment, or in a transaction that begins with the consultation."""
    site = Clinic(connect())
    site.connection.autocommit = not consultation_first

    def completes(payment: str, appointment: str, start: Barrier) -> None:
        start.wait()
        if consultation_first:
            site.rows("UPDATE public.appointments SET notes = 'окно' WHERE id = %s", appointment)
        site.set_payment(payment, "completed")
        site.connection.commit()

    for _ in range(ROUNDS):
        payment, appointment = paid(clinic, shop.add_payment())
        start = Barrier(2)
        with ThreadPoolExecutor(1) as thread:
            theirs = thread.submit(completes, payment, appointment, start)
            start.wait()
            deliver(payment, action)
            theirs.result()
        assert_settled_once(clinic, payment, appointment)


def test_an_answer_older_than_our_state_is_asked_for_again(clinic: Clinic, shop: YooKassa) -> None:
    external_id = shop.add_payment("pending")
    payment, appointment = paid(clinic, external_id)

    def completed_meanwhile() -> None:
        shop.payments[external_id]["status"] = "succeeded"
        clinic.set_payment(payment, "completed")

    shop.meanwhile = completed_meanwhile
    with pytest.raises(RetryableError, match="has changed meanwhile"):
        process_payment(payment_id=payment, action="verify")
    deliver(payment, "verify")
    assert_settled_once(clinic, payment, appointment)


def test_an_answer_about_an_attempt_that_was_given_up_is_not_taken_for_the_next_one(
    clinic: Clinic, shop: YooKassa
) -> None:
    payment, _ = paid(clinic, shop.add_payment("canceled"))
    second = shop.add_payment("pending")
    shop.meanwhile = lambda: clinic.pay_anew(payment, second)
    deliver(payment, "verify")
    assert clinic.value("SELECT status FROM public.payments") == "pending"
    assert "payment_failed" not in clinic.templates()


def test_a_state_that_the_provider_never_knew_is_flagged(clinic: Clinic, shop: YooKassa) -> None:
    payment, _ = paid(clinic, shop.add_payment("pending"), "completed")
    process_payment(payment_id=payment, action="verify")
    assert clinic.flags(payment) == ["the provider says pending, we have completed"]


def test_a_late_link_is_confirmed_without_waiting_for_whoever_is_changing_another(
    clinic: Clinic, connect: Callable[[], Connection], shop: YooKassa
) -> None:
    (_, held), (_, free) = (paid(clinic, external_id, "completed") for external_id in "xy")
    site = Clinic(connect())
    site.connection.autocommit = False
    site.rows("UPDATE public.appointments SET notes = 'окно' WHERE id = %s", held)
    assert clinic.value("SELECT balansity.confirm_paid_appointments(now(), ARRAY(SELECT id FROM public.payments))") == 1
    site.connection.commit()
    assert [clinic.appointment(each)[0] for each in (held, free)] == ["pending", "confirmed"]
    assert clinic.value("SELECT balansity.confirm_paid_appointments(now(), ARRAY(SELECT id FROM public.payments))") == 1
