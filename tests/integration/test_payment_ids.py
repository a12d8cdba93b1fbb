"""Whatever a visitor writes in place of the provider's id keeps nobody else's payment waiting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from actors.payments import verify_open_payments
from errors import UnknownToProvider
from tests.clinic import Clinic
from tests.integration.payment_cases import deliver
from tests.integration.test_payment_trust import visiting
from tests.servers.yookassa import YooKassa
from web.app import create_app

ODD = (
    *("..", ".", "/", "../refunds/x", "..%2f..", "%2e%2e", "?a", "#a", "a b", " a", "a\n", "\t", "a\r\nX: y"),
    *("\\..", "http://[/", "//evil.example/", "é", "а", "\u202e", "😀", "a" * 101, "a" * 100_000, "'; SELECT 1"),
)
ASKED = "SELECT message -> 'kwargs' ->> 'payment_id' FROM dramatiq.queue WHERE queue_name = 'payments'"
ODD_SUMS = (("NaN", "RUB"), ("0.01", "RUB"), ("5000", "rub"), ("5000", "USD"), ("5000", " RUB"))
A_PACKAGE = (
    "INSERT INTO public.packages (name, session_count, appointment_type_id, price) VALUES ('Десять', 10, %s, 5000) "
    "RETURNING id"
)
FLAGGED = "SELECT external_payment_id, reason FROM balansity.payment_flag JOIN public.payments ON id = payment_id"
AWAY = "SELECT provider FROM balansity.outage WHERE ended_at IS NULL"


@pytest.fixture
def web(shop: YooKassa) -> FlaskClient:
    return create_app().test_client()


def later(clinic: Clinic) -> None:
    """Let the payments have been open for some time, and their checks be due."""
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '10 minutes'")
    clinic.rows("UPDATE balansity.payment_check SET next_at = now() - interval '1 minute'")


def notice(external_id: str) -> dict[str, Any]:
    return {"type": "notification", "event": "payment.succeeded", "object": {"id": external_id}}


def test_what_is_no_id_of_the_providers_is_asked_about_nowhere(clinic: Clinic, shop: YooKassa) -> None:
    user = clinic.add_user()
    with visiting(clinic):
        odd = [clinic.add_payment(user, external_payment_id=each) for each in ODD]
        odd.append(clinic.add_payment(user, status="completed", external_payment_id=".."))
    for payment in odd:
        deliver(payment, "verify")
    assert shop.requests == []
    assert clinic.rows(AWAY) == [], "nobody else waits for the provider because of them"
    assert [clinic.flags(payment) for payment in odd[:-1]] == [[]] * len(ODD)
    assert clinic.flags(odd[-1]) == ["completed as a visitor wrote it, and the provider knows no such payment"]


def test_ids_that_a_visitor_made_up_are_asked_about_once_and_a_true_one_is_settled(
    clinic: Clinic, shop: YooKassa, web: FlaskClient
) -> None:
    user, paid = clinic.add_user(), shop.add_payment("pending")
    appointment = clinic.book(user, datetime.now(UTC) + timedelta(days=1), "pending")
    with visiting(clinic):
        forged = [clinic.add_payment(user, external_payment_id=f"made-up-{number}") for number in range(40)]
    true = clinic.add_payment(user, {"appointment_id": appointment}, external_payment_id=paid)
    for _ in range(2):
        later(clinic)
        verify_open_payments("2026-11-20T10:05:00+00:00")
        for (payment,) in clinic.rows(ASKED):
            deliver(payment, "verify")
        clinic.rows("DELETE FROM dramatiq.queue")
        clinic.rows("DELETE FROM balansity.slot")
        for number in range(len(forged)):
            assert web.post("/webhooks/yookassa", json=notice(f"made-up-{number}")).status_code == 200
            assert web.post("/webhooks/yookassa", json=notice(f"unknown-{number}")).status_code == 200
    assert len(shop.requests) == len(forged) + 2, "the true one's are asked about as before"
    assert clinic.rows(ASKED) == []
    assert [clinic.flags(payment) for payment in forged] == [[]] * len(forged), "nor is a person troubled"
    shop.payments[paid]["status"] = "succeeded"
    assert web.post("/webhooks/yookassa", json=notice(paid)).status_code == 200
    assert clinic.rows(ASKED) == [(true,)]
    deliver(true, "verify")
    assert clinic.appointment(appointment) == ("confirmed", true)


def test_old_rows_that_a_visitor_made_up_do_not_bury_the_desk(clinic: Clinic, shop: YooKassa) -> None:
    """Whoever writes a row also writes since when it is open."""
    user, known = clinic.add_user(), shop.add_payment("pending")
    with visiting(clinic):
        for external_id in ("made-up-1", "made-up-2", known):
            clinic.add_payment(user, external_payment_id=external_id)
    clinic.rows("UPDATE public.payments SET created_at = created_at - interval '9 days'")
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows(FLAGGED) == []
    for (payment,) in clinic.rows(ASKED):
        deliver(payment, "verify")
    later(clinic)
    verify_open_payments("2026-11-22T10:05:00+00:00")
    assert len(shop.requests) == 3
    assert clinic.rows(FLAGGED) == [(known, "open for 3 days")]


def test_what_was_paid_gives_nothing_more_in_another_guise_or_once_its_row_is_gone(
    clinic: Clinic, shop: YooKassa
) -> None:
    user, paid = clinic.add_user(), shop.add_payment()
    package = {"package_id": str(clinic.value(A_PACKAGE, clinic.type_id()))}
    first = clinic.add_payment(user, package, external_payment_id=paid)
    clinic.set_payment(first, "completed")
    guises = (paid.upper(), f"{paid} ", f" {paid}", f"{paid}\n", paid.replace("-", ""), f"{{{paid}}}", f"{paid}/")
    clinic.rows("DELETE FROM public.payments WHERE id = %s", first)
    with visiting(clinic):
        more = [clinic.add_payment(user, package, external_payment_id=each) for each in (*guises, paid)]
        more += [
            clinic.add_payment(user, package, external_payment_id=shop.add_payment(), amount=amount, currency=currency)
            for amount, currency in ODD_SUMS
        ]
    more.append(clinic.add_payment(user, package, external_payment_id=paid))
    clinic.rows("UPDATE public.payments SET status = 'completed'")
    for payment in more:
        deliver(payment, "verify")
        deliver(payment, "update_status")
    assert clinic.rows("SELECT sessions_remaining FROM public.package_purchases") == [(10,)]
    assert clinic.payment_mails() == ["payment_confirmation"]
    assert all(clinic.flags(payment) for payment in more), "a person hears of each"


def test_another_id_is_asked_about_again(clinic: Clinic, shop: YooKassa) -> None:
    user, paid = clinic.add_user(), shop.add_payment()
    with visiting(clinic):
        payment = clinic.add_payment(user, external_payment_id="made-up")
    deliver(payment, "verify")
    clinic.rows("UPDATE public.payments SET external_payment_id = %s", paid)
    later(clinic)
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows(ASKED) == [(payment,)]


def test_an_id_that_the_service_wrote_and_the_provider_does_not_know_is_told(clinic: Clinic, shop: YooKassa) -> None:
    """Most likely the keys are another shop's."""
    payment = clinic.add_payment(clinic.add_user(), external_payment_id="of-another-shop")
    with pytest.raises(UnknownToProvider, match="404"):
        deliver(payment, "verify")
    later(clinic)
    verify_open_payments("2026-11-20T10:05:00+00:00")
    assert clinic.rows(ASKED) == [(payment,)]
