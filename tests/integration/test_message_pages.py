"""Messages on pages: found by a filter that names nobody, and sent back, edited, cancelled or deleted one by one."""

import html
import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import actors
import cli
from broker import broker
from db.database import transaction
from desk import editing
from desk.decision import Decision
from desk.messages import LOOK
from errors import Refused
from tests.clinic import Clinic
from tests.pages import READER, log_in, open_pages, token

DEAD = "d0000000-0000-4000-8000-000000000001"
WAITING = "d0000000-0000-4000-8000-000000000002"
APPOINTMENT = "c0000000-0000-4000-8000-00000000000c"
ANNA = "anna@example.com"
WHY = {"reason": "she mistyped her address"}
DECISION = Decision("vera", "shell", "she mistyped her address")


@pytest.fixture(params=["plain", "sealed"])
def kept(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch, clinic: Clinic, database: str) -> Clinic:
    """A dead mail to a mistyped address, and one that waits; in plain, or as they lie with keys."""
    if request.param == "sealed":
        environment.setenv("MESSAGE_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    client_of(environment)
    actors.publish(database)
    orders = {
        DEAD: {"to": "anna@example", "subject": "s", "template": "report_ready"},
        WAITING: {"appointment_id": APPOINTMENT},
    }
    for message_id, order in orders.items():
        message = actors.emails.send_email.message_with_options(kwargs=order)
        broker.enqueue(message.copy(message_id=message_id))
    clinic.rows(
        "UPDATE dramatiq.queue SET state = 'rejected', error = %s WHERE message_id = %s",
        *("mail.checks.Unsendable: <anna@example> is no address", DEAD),
    )
    return clinic


def client_of(environment: pytest.MonkeyPatch) -> FlaskClient:
    return open_pages(environment)


@pytest.fixture
def client(environment: pytest.MonkeyPatch, kept: Clinic) -> FlaskClient:
    client = client_of(environment)
    log_in(client)
    return client


def press(client: FlaskClient, address: str, **form: str) -> Any:
    page = client.get(f"/messages/{DEAD}").text
    return client.post(address, data={"csrf_token": token(page), **WHY, **form}, headers={"Accept-Language": "en"})


def listed(client: FlaskClient, query: str) -> set[str]:
    return set(re.findall(r"/messages/([0-9a-f-]{36})", client.get(f"/messages?{query}").text))


def said(clinic: Clinic, message_id: str = DEAD) -> Any:
    with transaction() as conn:
        return broker.vault.opened(conn, message_id)["kwargs"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {DEAD, WAITING}),
        ("state=dead", {DEAD}),
        ("queue=emails&since=10m", {DEAD, WAITING}),
        ("queue=payments", set()),
        ("actor=send_email&state=waiting", {WAITING}),
        (f"about=appointment_id={APPOINTMENT}", {WAITING}),
        ("about=appointment_id=c0000000-0000-4000-8000-00000000000d", set()),
    ],
)
def test_messages_are_found_by_a_filter(client: FlaskClient, query: str, found: set[str]) -> None:
    sealed_words = "about" in query and bool(broker.seal)
    assert listed(client, query) == (set() if sealed_words and WAITING in found else found)


@pytest.mark.parametrize("query", ["about=to=anna@example.com", "state=odd", "since=1y", "failure=zz", "about=7"])
def test_what_no_address_may_say_and_what_is_no_filter_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/messages?{query}", headers={"Accept-Language": "en"})
    assert answer.status_code == 400


def test_a_page_tells_what_a_message_says_only_to_an_operator_who_says_why(client: FlaskClient, kept: Clinic) -> None:
    page = client.get(f"/messages/{DEAD}").text
    assert "mail.checks.Unsendable" in page
    assert "anna@example" not in page
    shown = press(client, f"/messages/{DEAD}/reveal")
    assert shown.status_code == 200
    assert "anna@example" in shown.text
    assert kept.rows("SELECT id::text, revealed_by, reason FROM dramatiq.revelation") == [(DEAD, "vera", WHY["reason"])]


def test_an_edited_message_goes_back_under_its_own_id_and_what_it_was_is_kept(
    client: FlaskClient, kept: Clinic
) -> None:
    order = {"to": ANNA, "subject": "s", "template": "report_ready"}
    assert press(client, f"/messages/{DEAD}/edit", arguments=json.dumps(order)).status_code == 303
    assert kept.value("SELECT state::text FROM dramatiq.queue WHERE message_id = %s", DEAD) == "queued"
    assert said(kept) == order
    [(copied, error)] = kept.rows("SELECT message_id::text, error FROM dramatiq.queue WHERE state = 'cancelled'")
    assert said(kept, copied)["to"] == "anna@example"
    assert error == f"Edited by vera as {DEAD}: {WHY['reason']}"
    if broker.seal:
        assert kept.value("SELECT count(*) FROM dramatiq.queue WHERE message::text LIKE %s", "%anna%") == 0


@pytest.mark.parametrize("arguments", ["", "[]", "7", '{"to": ', "[" * 5000])
def test_what_is_no_object_of_arguments_changes_nothing(client: FlaskClient, kept: Clinic, arguments: str) -> None:
    assert press(client, f"/messages/{DEAD}/edit", arguments=arguments).status_code == 400
    assert said(kept)["to"] == "anna@example"
    assert kept.value("SELECT state::text FROM dramatiq.queue WHERE message_id = %s", DEAD) == "rejected"


def test_a_message_that_is_not_dead_is_not_edited(kept: Clinic) -> None:
    with transaction() as conn, pytest.raises(Refused, match="Only a dead or a cancelled one is"):
        editing.edit(conn, WAITING, {}, DECISION)


def test_arguments_that_its_actor_does_not_take_are_refused(kept: Clinic) -> None:
    kept.rows(
        "UPDATE dramatiq.queue SET message = jsonb_set(message, '{actor_name}', '\"update_appointment_statuses\"')"
        " WHERE message_id = %s",
        DEAD,
    )
    with transaction() as conn, pytest.raises(Refused, match="It would call update_appointment_statuses"):
        editing.edit(conn, DEAD, {"pigeon": 1}, DECISION)


def test_the_shell_sets_an_argument(kept: Clinic) -> None:
    result = CliRunner().invoke(cli.main, ["redrive", DEAD[:8], "--set", f"to={ANNA}", "--reason", "a typo"])
    assert result.exit_code == 0, result.output
    assert said(kept) == {"to": ANNA, "subject": "s", "template": "report_ready"}


def test_each_action_is_done_once_and_recorded(client: FlaskClient, kept: Clinic) -> None:
    state = "SELECT state::text FROM dramatiq.queue WHERE message_id = %s"
    assert press(client, f"/messages/{WAITING}/cancel").status_code == 303
    assert kept.value(state, WAITING) == "cancelled"
    assert press(client, f"/messages/{WAITING}/cancel").status_code == 400
    for _ in range(2):
        form = {"form": "f0000000-0000-4000-8000-00000000000f"}
        assert press(client, f"/messages/{WAITING}/redrive", **form).status_code == 303
    assert press(client, f"/messages/{WAITING}/cancel").status_code == 303
    assert press(client, f"/messages/{DEAD}/redrive").status_code == 303
    assert kept.value(state, DEAD) == "queued"
    assert press(client, f"/messages/{WAITING}/discard").status_code == 303
    assert kept.rows(state, WAITING) == []
    actions = [action for (action,) in kept.rows("SELECT action FROM balansity.operator_action ORDER BY id")]
    assert actions == ["cancel", "redrive", "cancel", "redrive", "discard"]


def test_a_reader_acts_on_nothing_and_nothing_is_done_without_a_reason(client: FlaskClient, kept: Clinic) -> None:
    assert press(client, f"/messages/{DEAD}/redrive", reason=" ").status_code == 400
    form = token(client.get("/people").text)
    client.post("/logout", data={"csrf_token": form})
    log_in(client, READER)
    form = token(client.get(f"/messages/{DEAD}").text)
    for action in ("redrive", "cancel", "discard", "edit", "reveal"):
        answer = client.post(f"/messages/{DEAD}/{action}", data={"csrf_token": form, **WHY})
        assert answer.status_code == 403, action
    assert kept.value("SELECT count(*) FROM balansity.operator_action") == 0


def test_a_page_says_how_far_back_it_looked_and_leads_further(client: FlaskClient, kept: Clinic) -> None:
    kept.rows(
        "INSERT INTO dramatiq.queue (message_id, queue_name, state, mtime, message) "
        "SELECT gen_random_uuid(), 'emails', 'done', now() - n * interval '1 second', "
        "       jsonb_build_object('actor_name', CASE n WHEN %s THEN 'rare' ELSE 'send_email' END) "
        "FROM generate_series(1, %s) AS n",
        *(LOOK + 1, LOOK + 1),
    )
    page = client.get("/messages?actor=rare").text
    assert "просматриваются частями; здесь" in page
    [further] = re.findall(r'href="([^"]+)">Более старые', page)
    found = client.get(html.unescape(further)).text
    assert "Показано 1 из 1." in found
    assert "просматриваются" not in found
