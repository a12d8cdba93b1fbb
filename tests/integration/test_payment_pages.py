"""Payments on a page: found by the number in the family's mail, told without a name, decided about once."""

import re
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import actors
import db.database
import settings
from tests.clinic import Clinic
from tests.pages import READER, form_of, log_in, open_pages, token
from web.payment_words import told

ENGLISH = {"Accept-Language": "en"}
WHY = "the family has the receipt"
LOG = "SELECT who, action, target, reason FROM balansity.operator_action ORDER BY id"


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic) -> FlaskClient:
    actors.publish(db.database.url())
    client = open_pages(environment)
    log_in(client)
    return client


@pytest.fixture
def flagged(clinic: Clinic) -> str:
    """A payment that the site has completed though it was cancelled."""
    payment = clinic.add_payment(clinic.add_user(), status="cancelled", external_payment_id="2d8f-yoo")
    clinic.set_payment(payment, "completed")
    return payment


def act(client: FlaskClient, payment: str, action: str, form: dict[str, str] | None = None) -> TestResponse:
    address = f"/payments/{payment}/{action}"
    form = form or form_of(client.get(f"/payments/{payment}").text, address)
    return client.post(address, data=form | {"reason": WHY}, headers=ENGLISH)


def orders(clinic: Clinic) -> list[Any]:
    return clinic.rows("SELECT message -> 'kwargs' ->> 'action' FROM dramatiq.queue WHERE queue_name = 'payments'")


@pytest.mark.parametrize("called", ["№ {}", "{}", "2d8f-yoo"])
def test_a_payment_is_found_by_the_number_in_its_mail_or_the_providers_id(
    client: FlaskClient, flagged: str, called: str
) -> None:
    form = token(client.get("/payments").text)
    answer = client.post("/payments", data={"csrf_token": form, "words": called.format(flagged[:8].upper())})
    assert (answer.status_code, answer.location) == (303, f"/payments/{flagged}")


@pytest.mark.parametrize("called", ["", "2", "Ёлкина", "\0", "ffffffff"])
def test_what_no_payment_is_called_is_said_so(client: FlaskClient, flagged: str, called: str) -> None:
    answer = client.post("/payments", data={"csrf_token": token(client.get("/payments").text), "words": called})
    assert answer.status_code == 404
    assert client.get(f"/payments/{uuid4()}").status_code == 404


def test_what_waits_is_listed_with_why_and_leads_to_all_of_it(
    client: FlaskClient, clinic: Clinic, flagged: str
) -> None:
    open_one = clinic.add_payment(clinic.add_user("b@example.com"), external_payment_id="2d8f-open")
    unasked = clinic.add_payment(clinic.add_user("c@example.com"))
    page = client.get("/payments", headers=ENGLISH).text
    assert "unexpected change: cancelled → completed" in page
    assert "the provider has not answered yet" in page
    assert "1 more is open" in page
    assert f"/payments/{open_one}" in page
    assert f"/payments/{unasked}" in client.get("/payments?list=unasked", headers=ENGLISH).text
    assert "неожиданная смена: отменено → завершено" in client.get("/payments").text


def test_open_payments_come_in_pages_that_overlook_none(client: FlaskClient, clinic: Clinic) -> None:
    user = clinic.add_user()
    clinic.rows(
        "INSERT INTO public.payments (user_id, amount, status, external_payment_id, created_at)"
        " SELECT %s, 5000, 'pending', 'e' || n, now() - interval '1 hour' FROM generate_series(1, 51) AS n",
        user,
    )
    first = client.get("/payments?list=open").text
    [further] = [each.replace("&amp;", "&") for each in re.findall(r'href="(/payments\?list=open[^"]*)"', first)]
    seen = [set(re.findall(r"/payments/([0-9a-f-]{36})", page)) for page in (first, client.get(further).text)]
    assert [len(each) for each in seen] == [50, 1]
    assert not seen[0] & seen[1]


def test_a_decision_is_done_once_however_often_its_form_is_sent(
    client: FlaskClient, clinic: Clinic, flagged: str
) -> None:
    form = form_of(client.get(f"/payments/{flagged}").text, f"/payments/{flagged}/verify")
    for _ in range(2):
        assert act(client, flagged, "verify", form).location == f"/payments/{flagged}"
    assert orders(clinic) == [("verify",)]
    assert act(client, flagged, "resolve").status_code == 303
    assert clinic.rows(LOG) == [
        ("vera", "verify payment", flagged, WHY),
        ("vera", "resolve payment", flagged, WHY),
    ]
    assert clinic.rows("SELECT decided_by, decided_because FROM balansity.payment_flag") == [("vera", WHY)]
    assert "No payment waits for a person." in client.get("/payments", headers=ENGLISH).text


def test_money_that_has_not_come_is_not_given_back(client: FlaskClient, clinic: Clinic) -> None:
    payment = clinic.add_payment(clinic.add_user(), external_payment_id="2d8f-open")
    page = client.get(f"/payments/{payment}").text
    assert f"/payments/{payment}/refund" not in page
    answer = act(client, payment, "refund", form_of(page, f"/payments/{payment}/verify"))
    assert answer.status_code == 400
    assert "only a completed one can be refunded" in answer.text
    assert (orders(clinic), clinic.rows(LOG)) == ([], [])


def test_an_action_that_is_none_and_a_readers_are_refused(client: FlaskClient, clinic: Clinic, flagged: str) -> None:
    form = form_of(client.get(f"/payments/{flagged}").text, f"/payments/{flagged}/verify")
    assert act(client, flagged, "delete", form).status_code == 404
    assert act(client, str(uuid4()), "verify", form).status_code == 404
    log_in(client, READER)
    page = client.get(f"/payments/{flagged}").text
    assert "/verify" not in page
    form = {"csrf_token": token(page)}
    assert act(client, flagged, "verify", form).status_code == 403
    assert (orders(clinic), clinic.rows(LOG)) == ([], [])


def test_what_others_said_stays_covered_until_somebody_says_why_it_must_be_seen(
    client: FlaskClient, clinic: Clinic, flagged: str
) -> None:
    clinic.rows(
        "INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at) VALUES"
        " (%s, 'refund refused: YooKassa answered 400: card of Анна Ёлкина', now())",
        flagged,
    )
    page = client.get(f"/payments/{flagged}", headers=ENGLISH).text
    assert "refund refused: •••" in page
    assert "Ёлкина" not in page + client.get("/payments").text
    form = form_of(client.get(f"/payments/{flagged}").text, f"/payments/{flagged}/reveal")
    revealed = act(client, flagged, "reveal", form)
    assert "refund refused: YooKassa answered 400: card of Анна Ёлкина" in revealed.text
    assert "hx-get" not in revealed.text  # which would cover it again
    assert clinic.rows(LOG) == [("vera", "reveal payment", flagged, WHY)]
    act(client, flagged, "reveal", form)  # as a reload does
    assert len(clinic.rows(LOG)) == 2


def test_every_reason_of_ours_is_told_and_not_covered(client: FlaskClient) -> None:
    sql = "".join(
        path.read_text(encoding="utf-8") for path in Path(settings.ROOT, "db/migrations/clinic").glob("0[23]*")
    )
    raised = [
        words for words in re.findall(r"RAISE EXCEPTION '([^']+)'(?:,|;)", sql) if words.startswith(("paid", "meta"))
    ]
    flags = re.findall(r"(?:flag_finding|flag_payment)\(\s*\S+, (?:format\()?'((?:[^']|'')+)'", sql)
    assert len(raised) > 5
    assert len(flags) > 5
    values = ("completed", "300.00", "RUB", str(uuid4()), "23505", "")
    with client.application.test_request_context():
        for words in raised + flags:
            first, *others = re.split("%s|%|$", words.replace("''", "'"))
            said = {
                first + "".join(value + rest for value, rest in zip(chosen, others, strict=True))
                for chosen in product(values, repeat=len(others))
            }
            assert any("•••" not in str(told(each)) for each in said), words
