"""The log tells in its reader's words what was done, and leads to what it was done to."""

import re

import pytest
from flask.testing import FlaskClient

import settings
from db.connection import Connection
from desk.decision import Decision, record
from tests.pages import log_in, open_pages
from web.action_words import ACTIONS
from web.payments import ACTIONS as OF_PAYMENTS

PAYMENT = "e1000000-0000-4000-8000-0000000000e1"
RECORDED = re.compile(r"record(?:_once|ed)?\((?:conn|chosen), [^\"\n]*?\"([a-z][a-z ]+)\"")


@pytest.fixture
def client(environment: pytest.MonkeyPatch, connection: Connection) -> FlaskClient:
    client = open_pages(environment)
    record(connection, Decision("vera", "page", "the bank says so"), "verify payment", PAYMENT)
    record(connection, Decision("vera", "shell", "a wrong text"), "pause queue", "emails")
    record(connection, Decision("vera", "shell", "a wrong text"), "cancel", f"{PAYMENT} and 3 more", 4)
    log_in(client)
    return client


def test_it_says_what_was_done_and_leads_there(client: FlaskClient) -> None:
    page = client.get("/log", headers={"Accept-Language": "ru"}).text
    for words in ("спрошен провайдер", "приостановлена очередь", "командная строка", "страница"):
        assert f">{words}<" in page
    assert f'<a href="/payments/{PAYMENT}">{PAYMENT[:8]}</a>' in page
    assert '<a href="/queues/emails">emails</a>' in page
    assert f">{PAYMENT[:8]} and 3 more<" in page


def test_every_action_that_is_recorded_has_its_words() -> None:
    recorded = {
        action
        for room in ("desk", "web", "commands")
        for path in (settings.ROOT / room).glob("*.py")
        for action in RECORDED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(recorded) > 10
    assert recorded | {f"{action} payment" for action in OF_PAYMENTS} <= ACTIONS.keys()
