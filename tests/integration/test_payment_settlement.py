"""A payment's status takes effect once: its mail, its event, and what was paid for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from db.connection import Connection
from tests.clinic import Clinic

pytestmark = pytest.mark.undone
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def test_a_completed_payment_confirms_the_consultation_its_metadata_names(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    payment = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(payment, "completed")
    assert clinic.appointment(appointment) == ("confirmed", payment)
    mail = clinic.messages("email_queue")[-1]
    assert (mail["template"], mail["subject"]) == ("payment_confirmation", "Подтверждение оплаты")
    assert mail["variables"] == {
        "payment_id": payment,
        "amount": 5000.0,
        "currency": "RUB",
        "payment_method": "yookassa",
    }
    assert mail["key"] == f"payment:{payment}:completed"
    assert clinic.events() == ["payment_completed"]


def test_a_completed_payment_confirms_the_consultation_linked_to_it(clinic: Clinic, user: str) -> None:
    payment = clinic.add_payment(user)
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=payment)
    clinic.set_payment(payment, "processing", "completed")
    assert clinic.appointment(appointment) == ("confirmed", payment)


def test_a_scheduled_consultation_stays_scheduled_and_is_linked(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "scheduled")
    payment = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(payment, "completed")
    assert clinic.appointment(appointment) == ("scheduled", payment)


def test_replays_change_nothing(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    payment = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(payment, "completed", "completed")
    clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    assert clinic.payment_mails() == ["payment_confirmation"]
    assert clinic.events() == ["payment_completed"]


def test_a_failed_payment_is_told_and_the_consultation_waits_for_another_try(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    payment = clinic.add_payment(user, {"appointment_id": appointment}, external_payment_id="first")
    clinic.set_payment(payment, "failed")
    assert clinic.appointment(appointment) == ("pending", None)
    assert clinic.payment_mails() == ["payment_failed"]
    clinic.pay_anew(payment, "second")
    clinic.set_payment(payment, "failed", "processing", "completed")
    assert clinic.payment_mails() == ["payment_failed", "payment_failed", "payment_confirmation"]
    assert clinic.appointment(appointment) == ("confirmed", payment)


def test_each_attempt_that_fails_is_told_once_under_a_key_of_its_own(clinic: Clinic, user: str) -> None:
    payment = clinic.add_payment(user, external_payment_id="first")
    clinic.set_payment(payment, "failed", "pending", "failed", "processing", "failed")  # the site's notices came late
    clinic.pay_anew(payment, "second")
    clinic.set_payment(payment, "failed")
    clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    for queue in ("email_queue", "analytics_queue"):
        keys = [message["key"] for message in clinic.messages(queue)]
        assert keys == [f"payment:{payment}:failed:first", f"payment:{payment}:failed:second"]


def test_a_cancelled_payment_frees_the_consultation_that_waited_for_it(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    clinic.set_payment(clinic.add_payment(user, {"appointment_id": appointment}), "cancelled")
    assert clinic.appointment(appointment) == ("cancelled", None)
    assert clinic.payment_mails() == []
    assert clinic.events() == ["payment_cancelled"]


def test_a_cancelled_payment_frees_nothing_while_another_one_is_under_way(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    first, second = (clinic.add_payment(user, {"appointment_id": appointment}) for _ in range(2))
    clinic.set_payment(first, "cancelled")
    clinic.set_payment(second, "completed")
    assert clinic.appointment(appointment) == ("confirmed", second)


def test_another_payment_confirms_the_consultation_whose_first_one_failed(clinic: Clinic, user: str) -> None:
    first = clinic.add_payment(user)
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=first)
    clinic.set_payment(first, "failed")
    second = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(second, "completed")
    assert clinic.appointment(appointment) == ("confirmed", second)
    assert clinic.flags(second) == []


def test_another_payment_that_is_cancelled_frees_the_consultation_whose_first_one_failed(
    clinic: Clinic, user: str
) -> None:
    first = clinic.add_payment(user)
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=first)
    clinic.set_payment(first, "failed")
    clinic.set_payment(clinic.add_payment(user, {"appointment_id": appointment}), "cancelled")
    assert clinic.appointment(appointment) == ("cancelled", first)


def test_a_consultation_that_is_paid_is_not_linked_to_another_payment(clinic: Clinic, user: str) -> None:
    first = clinic.add_payment(user)
    appointment = clinic.book(user, TOMORROW, "pending", payment_id=first)
    second = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(first, "completed")
    clinic.set_payment(second, "completed")
    assert clinic.appointment(appointment) == ("confirmed", first)
    assert "was paid otherwise" in clinic.flags(second)[0]


def test_a_refund_is_told_and_takes_back_what_was_bought(clinic: Clinic, user: str) -> None:
    appointment = clinic.book(user, TOMORROW, "pending")
    payment = clinic.add_payment(user, {"appointment_id": appointment})
    clinic.set_payment(payment, "completed", "refunded", "refunded")
    assert clinic.appointment(appointment) == ("cancelled", payment)
    assert clinic.payment_mails() == ["payment_confirmation", "payment_refunded"]
    assert clinic.events() == ["payment_completed", "payment_refunded"]


def test_a_refund_leaves_a_consultation_that_took_place(clinic: Clinic, user: str) -> None:
    payment = clinic.add_payment(user, status="completed")
    appointment = clinic.book(user, TOMORROW, "completed", payment_id=payment)
    clinic.set_payment(payment, "refunded")
    assert clinic.appointment(appointment) == ("completed", payment)


def test_metadata_that_describes_a_consultation_books_it_once(clinic: Clinic, user: str) -> None:
    described = {"appointment_type_id": clinic.type_id("Логопед"), "scheduled_at": TOMORROW.isoformat()}
    payment = clinic.add_payment(user, described)
    clinic.set_payment(payment, "completed")
    clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    booked = clinic.rows("SELECT user_id::text, scheduled_at, status, payment_id::text FROM public.appointments")
    assert booked == [(user, TOMORROW, "scheduled", payment)]
    assert sorted(clinic.templates()) == ["appointment_confirmation", "payment_confirmation"]


def test_a_package_is_granted_once_with_its_sessions(clinic: Clinic, user: str) -> None:
    package = str(clinic.value("INSERT INTO packages (name, session_count, price) VALUES ('5', 5, 5000) RETURNING id"))
    payment = clinic.add_payment(user, {"package_id": package})
    clinic.set_payment(payment, "completed")
    clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
    assert clinic.rows("SELECT sessions_remaining, payment_id::text FROM package_purchases") == [(5, payment)]
    clinic.set_payment(payment, "refunded")
    assert clinic.rows("SELECT sessions_remaining FROM package_purchases") == [(0,)]


def test_what_staff_deleted_is_not_made_again_by_a_replay(clinic: Clinic, user: str) -> None:
    package = str(clinic.value("INSERT INTO packages (name, session_count, price) VALUES ('5', 5, 5000) RETURNING id"))
    described = {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
    for metadata, table in ((described, "appointments"), ({"package_id": package}, "package_purchases")):
        payment = clinic.add_payment(user, metadata)
        clinic.set_payment(payment, "completed")
        assert len(clinic.rows(f"DELETE FROM public.{table} RETURNING id")) == 1
        clinic.rows("SELECT balansity.settle_payment(%s, now())", payment)
        assert clinic.rows(f"SELECT FROM public.{table}") == []
        assert clinic.flags(payment) == []


def test_a_user_without_address_can_pay(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user(None))
    clinic.set_payment(payment, "completed")
    assert [mail["to"] for mail in clinic.messages("email_queue")] == [None]


def test_two_payments_for_one_consultation_at_once_link_one_and_flag_the_other(
    connect: Callable[[], Connection],
) -> None:
    clinic = Clinic(connect())
    user = clinic.add_user()
    appointment = clinic.book(user, TOMORROW, "pending")
    payments = [clinic.add_payment(user, {"appointment_id": appointment}) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda payment: Clinic(connect()).set_payment(payment, "completed"), payments))
    status, linked = clinic.appointment(appointment)
    assert (status, linked in payments) == ("confirmed", True)
    [other] = [payment for payment in payments if payment != linked]
    assert (clinic.flags(str(linked)), len(clinic.flags(other))) == ([], 1)
    assert clinic.payment_mails() == ["payment_confirmation"] * 2


def test_the_site_booking_at_the_same_moment_gets_one_consultation(
    connect: Callable[[], Connection],
) -> None:
    """The site may insert the consultation that a payment's metadata describes itself: payment_id is unique."""
    clinic = Clinic(connect())
    user = clinic.add_user()
    described = {"appointment_type_id": clinic.type_id(), "scheduled_at": TOMORROW.isoformat()}
    for _ in range(10):
        payment = clinic.add_payment(user, described)
        with ThreadPoolExecutor(2) as threads:
            completes = threads.submit(Clinic(connect()).set_payment, payment, "completed")
            books = threads.submit(Clinic(connect()).book, user, TOMORROW, "scheduled", None, payment)
            completes.result()
            assert isinstance(books.exception(), psycopg2.errors.UniqueViolation | None)
        assert clinic.value("SELECT count(*) FROM public.appointments WHERE payment_id = %s", payment) == 1
        assert clinic.flags(payment) == []
