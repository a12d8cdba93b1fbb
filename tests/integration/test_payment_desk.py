"""A person decides about flagged payments, and YooKassa's notifications only make us ask."""

import json
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import cli
import settings
from actors.payments import check_open_payments, process_payment
from tests.clinic import Clinic
from tests.integration.forget_cases import forget
from tests.servers import yookassa
from tests.servers.yookassa import YooKassa
from tests.terminal import answered
from web.app import create_app

WHY = ("--reason", "the family has the receipt")


@pytest.fixture(autouse=True)
def account(environment: pytest.MonkeyPatch) -> None:
    """The shop's, at a provider that nobody asks."""
    environment.setenv("YOOKASSA_SHOP_ID", yookassa.SHOP_ID)
    environment.setenv("YOOKASSA_SECRET_KEY", yookassa.SECRET_KEY)
    settings.current.cache_clear()


@pytest.fixture
def web(clinic: Clinic) -> FlaskClient:
    return create_app().test_client()


def balansity(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(cli.main, list(words))
    assert result.exit_code == code, result.output
    return result.output


def sent(clinic: Clinic) -> list[dict[str, Any]]:
    found = clinic.rows("SELECT message -> 'kwargs' FROM dramatiq.queue WHERE queue_name = 'payments'")
    return [kwargs for (kwargs,) in found]


def notice(external_id: str, event: str = "payment.succeeded", **more: Any) -> dict[str, Any]:
    return {"type": "notification", "event": event, "object": {"id": external_id, "status": "succeeded", **more}}


def test_flagged_payments_are_listed_until_they_are_resolved(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user(), status="cancelled")
    clinic.set_payment(payment, "completed")
    [flag] = json.loads(balansity("payments", "flagged", "--json"))
    assert (flag["payment"], flag["status"], flag["sum"]) == (payment, "completed", "5000.00 RUB")
    assert "unexpected change: cancelled → completed" in balansity("payments", "flagged")
    balansity("payments", "resolve", payment, "--yes", *WHY)
    assert json.loads(balansity("payments", "flagged", "--json")) == []
    assert "is not flagged" in balansity("payments", "resolve", payment, "--yes", *WHY, code=1)


@pytest.mark.parametrize("words", [("resolve",), ("process", "refund")])
def test_a_decision_about_money_needs_a_reason(clinic: Clinic, words: tuple[str, ...]) -> None:
    payment = clinic.add_payment(clinic.add_user())
    clinic.rows("SELECT balansity.flag_payment(%s, 'other money', now())", payment)
    said = balansity("payments", words[0], payment, *words[1:], "--yes", code=2)
    assert "Say --reason" in said
    assert (clinic.flags(payment), sent(clinic)) == (["other money"], [])


def test_who_resolved_a_payment_and_why_is_kept_and_told(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user())
    clinic.rows("SELECT balansity.flag_payment(%s, 'other money', now())", payment)
    balansity("payments", "resolve", payment, "--yes", *WHY)
    assert clinic.rows("SELECT decided_by, decided_because FROM balansity.payment_flag") == [(getuser(), WHY[1])]
    assert f"other money: {WHY[1]}" in balansity("payments", "show", payment)


def test_forgetting_a_person_takes_the_reasons_of_decisions_along(clinic: Clinic) -> None:
    user, other = clinic.add_user(), clinic.add_user("other@example.com")
    for each in (user, other):
        payment = clinic.add_payment(each)
        clinic.rows("SELECT balansity.flag_payment(%s, 'other money', now())", payment)
        balansity("payments", "resolve", payment, "--yes", *WHY)
    assert forget(user)["removed"]["reasons of decisions about payments"] == 1
    kept = "SELECT p.user_id FROM balansity.payment_flag f JOIN payments p ON p.id = f.payment_id "
    assert clinic.rows(kept + "WHERE f.decided_because IS NOT NULL") == [(other,)]
    log = "SELECT reason FROM balansity.operator_action WHERE action = 'resolve payment' ORDER BY id"
    assert clinic.rows(log) == [("(forgotten)",), (WHY[1],)]


def test_an_open_payment_is_listed_with_what_it_waits_for(clinic: Clinic, shop: YooKassa) -> None:
    external_id = shop.add_payment("pending")
    payment = clinic.add_payment(clinic.add_user(), external_payment_id=external_id)
    clinic.rows("UPDATE public.payments SET created_at = now() - interval '1 hour'")
    [row] = json.loads(balansity("payments", "open", "--json"))
    assert (row["id"], row["why"]) == (payment, "the provider has not answered yet")
    check_open_payments(datetime.now(UTC))
    process_payment(payment_id=payment, action="verify")
    [row] = json.loads(balansity("payments", "open", "--json"))
    assert (row["why"], row["checks"]) == ("the provider said: pending, 5000.00 RUB", 1)
    assert row["next_check_at"] > row["since"]
    assert "the provider said: pending" in balansity("payments")


def test_what_no_provider_can_be_asked_about_is_counted_and_listed_apart(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user())
    assert json.loads(balansity("payments", "open", "--json")) == []
    assert "1 more that no provider can be asked about" in balansity("payments")
    [row] = json.loads(balansity("payments", "open", "--unknown", "--json"))
    assert (row["id"], "nobody can be asked" in row["why"]) == (payment, True)


def test_a_payment_is_found_by_the_number_in_its_mail_and_by_the_providers_id(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user(), external_payment_id="2d-1")
    for name in (payment, payment[:8], payment[:8].upper(), f"№ {payment[:8]}", "2d-1"):
        assert json.loads(balansity("payments", "show", name, "--json"))["id"] == payment
    assert "There is no payment '00000000'" in balansity("payments", "show", "00000000", code=1)


def test_a_payments_story_has_its_mails_what_it_gave_and_what_it_waits_for(clinic: Clinic) -> None:
    user = clinic.add_user()
    payment = clinic.add_payment(user, external_payment_id="2d-1")
    appointment = clinic.book(user, datetime.now(UTC) + timedelta(days=1), "pending", payment_id=payment)
    told = json.loads(balansity("payments", "show", payment, "--json"))
    assert (told["open"]["why"], told["appointment_id"]) == ("the provider has not answered yet", appointment)
    clinic.rows(
        "INSERT INTO balansity.delivery (key, message_id, template, state, user_id, planned_at, changed_at) "
        "VALUES (%s, 'm', 'payment_confirmation', 'sent', %s, now(), now())",
        *(f"payment:{payment}:completed", user),
    )
    clinic.rows(
        "INSERT INTO balansity.payment_settlement (payment_id, status, settled_at, attempt, appointment_id) "
        "VALUES (%s, 'completed', now(), '', %s)",
        *(payment, appointment),
    )
    effects = {
        each["what"]: each["id"] for each in json.loads(balansity("payments", "show", payment, "--json"))["effect"]
    }
    assert effects["settled as completed"] == appointment
    assert "mail sent" in effects
    assert "payment_confirmation" in balansity("payments", "show", payment)


def test_payments_alone_lists_the_flagged_ones(clinic: Clinic) -> None:
    clinic.rows("SELECT balansity.flag_payment(%s, 'other money', now())", clinic.add_payment(clinic.add_user()))
    assert "other money" in balansity("payments")


def test_a_resolved_flag_comes_back_when_it_happens_again(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user(), status="cancelled")
    for _ in range(2):
        clinic.set_payment(payment, "completed", "cancelled")
        assert len(json.loads(balansity("payments", "flagged", "--json"))) == 2
        balansity("payments", "resolve", payment, "--yes", *WHY)


def test_a_person_has_a_payment_processed(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user())
    balansity("payments", "process", payment[:8], "verify")
    assert sent(clinic) == [{"payment_id": payment, "action": "verify"}]


def test_an_unknown_payment_is_refused_by_name(clinic: Clinic) -> None:
    unknown = str(uuid4())
    for words in (
        ["process", unknown, "verify"],
        ["process", unknown, "refund", "--yes", *WHY],
        ["resolve", unknown, *WHY],
    ):
        assert f"There is no payment '{unknown}'" in balansity("payments", *words, code=1)
    assert sent(clinic) == []


def test_a_refund_is_asked_back_about(clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user(), status="completed")
    assert "say --yes" in balansity("payments", "process", payment, "refund", *WHY, code=2)
    assert answered("n", "payments", "process", payment, "refund", *WHY).returncode == 1
    assert sent(clinic) == []
    assert answered("y", "payments", "process", payment, "refund", *WHY).returncode == 0
    balansity("payments", "process", payment, "refund", "--yes", *WHY)
    assert [kwargs["action"] for kwargs in sent(clinic)] == ["refund", "refund"]


@pytest.mark.parametrize(
    ("halts", "consequence"),
    [(True, "Resolving approves it: from then on it counts as completed"), (False, "has no other effect")],
)
def test_what_resolving_brings_about_is_said_before_it_is_done(clinic: Clinic, halts: bool, consequence: str) -> None:
    payment = clinic.add_payment(clinic.add_user(), status="completed")
    clinic.rows("SELECT balansity.flag_payment(%s, 'it does not add up', now(), %s)", payment, halts)
    for said in (
        balansity("payments", "resolve", payment[:8], *WHY, code=2),  # nobody to ask
        answered("n", "payments", "resolve", payment[:8], *WHY).stdout,
    ):
        assert "it does not add up" in said
        assert consequence in said
    assert clinic.flags(payment) == ["it does not add up"]
    assert consequence in answered("y", "payments", "resolve", payment[:8], *WHY).stdout
    assert clinic.value("SELECT count(*) FROM balansity.payment_flag WHERE resolved_at IS NULL") == 0


def test_what_was_held_up_follows_once_it_is_resolved_as_was_said(clinic: Clinic) -> None:
    user = clinic.add_user()
    payment = clinic.add_payment(user, status="completed")
    appointment = clinic.book(user, datetime.now(UTC) + timedelta(days=1), "pending")
    clinic.rows("SELECT balansity.flag_payment(%s, 'it does not add up', now(), true)", payment)
    clinic.rows("UPDATE appointments SET payment_id = %s WHERE id = %s", payment, appointment)
    check_open_payments(datetime.now(UTC))
    assert clinic.appointment(appointment)[0] == "pending"
    assert "is confirmed within a minute" in balansity("payments", "resolve", payment, "--yes", *WHY)
    check_open_payments(datetime.now(UTC))
    assert clinic.appointment(appointment)[0] == "confirmed"


def test_a_notice_makes_us_ask_and_changes_nothing_itself(clinic: Clinic, web: FlaskClient) -> None:
    payment = clinic.add_payment(clinic.add_user(), external_payment_id="2d-1")
    assert web.post("/webhooks/yookassa", json=notice("2d-1")).status_code == 200
    assert web.post("/webhooks/yookassa", json=notice("r-1", "refund.succeeded", payment_id="2d-1")).status_code == 200
    assert sent(clinic) == [{"payment_id": payment, "action": "verify"}]
    assert clinic.value("SELECT status FROM public.payments") == "pending"


def test_a_notice_that_comes_while_the_payment_is_asked_about_makes_us_ask_again(
    clinic: Clinic, web: FlaskClient
) -> None:
    clinic.add_payment(clinic.add_user(), external_payment_id="2d-1")
    for number in (1, 2):
        for _ in range(40):
            web.post("/webhooks/yookassa", json=notice("2d-1"))
        assert len(sent(clinic)) == number
        clinic.rows("UPDATE dramatiq.queue SET state = 'consumed' WHERE available_at <= now()")
    due = clinic.rows("SELECT extract(epoch FROM available_at - min(available_at) OVER ())::int FROM dramatiq.queue")
    assert sorted(round(seconds, -1) for (seconds,) in due) == [0, 30], (
        "anybody can send notices: none is lost, few ask"
    )


def test_a_notice_about_somebody_elses_payment_is_taken_and_forgotten(clinic: Clinic, web: FlaskClient) -> None:
    assert web.post("/webhooks/yookassa", json=notice("unknown")).status_code == 200
    assert sent(clinic) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"type": "notification", "event": "x", "object": {}}',
        b'{"type": "notification", "event": "x", "object": {"id": "a\\u0000b"}}',
        b'{"type": "notification", "event": "x", "object": {"id": "a", "payment_id": "\\u0000"}}',
    ],
)
def test_what_is_no_notice_is_refused(web: FlaskClient, body: bytes) -> None:
    assert web.post("/webhooks/yookassa", data=body).status_code == 400


def test_without_a_shop_there_is_no_endpoint(web: FlaskClient, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("YOOKASSA_SHOP_ID", "")
    environment.setenv("YOOKASSA_SECRET_KEY", "")
    settings.current.cache_clear()
    assert web.post("/webhooks/yookassa", json=notice("2d-1")).status_code == 404
