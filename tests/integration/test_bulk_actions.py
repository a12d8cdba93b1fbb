"""An action about many messages: counted, decided once, worked through step by step, and stopped by a person."""

import re
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

import actors
from actors.emails import send_email
from broker import broker
from db.connection import Connection
from desk import bulk
from tests.clinic import Clinic
from tests.pages import READER, log_in, open_pages, token

MAILS = 40
STATES = "SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state ORDER BY state"


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic, database: str) -> FlaskClient:
    actors.publish(database)
    enqueue()
    client = open_pages(environment)
    log_in(client)
    return client


def enqueue() -> None:
    broker.enqueue_many(send_email.message(to=f"p{n}@example.com", subject="s") for n in range(MAILS))


def decide(client: FlaskClient, action: str = "cancel", query: str = "queue=emails") -> tuple[str, dict[str, str]]:
    """The page that asks, and what its form sends."""
    page = client.get(f"/messages/all/{action}?{query}", headers={"Accept-Language": "en"}).text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return page, fields | {"csrf_token": token(page), "reason": "sent by mistake"}


def press(client: FlaskClient, address: str, form: dict[str, str]) -> Any:
    return client.post(address, data=form, headers={"Accept-Language": "en"})


def test_how_many_there_are_and_some_of_them_are_shown_before_anything_is_done(
    client: FlaskClient, clinic: Clinic
) -> None:
    page, _ = decide(client)
    assert f"Cancel all: {MAILS} messages" in page
    assert len(re.findall(r'<a href="/messages/[0-9a-f-]{36}">', page)) == 5
    assert clinic.rows(STATES) == [("queued", MAILS)]


def test_two_clicks_are_one_decision_about_what_had_come_by_then(client: FlaskClient, clinic: Clinic) -> None:
    _, form = decide(client)
    first, second = (press(client, "/actions", form) for _ in range(2))
    assert first.location == second.location
    enqueue()
    press(client, f"{first.location}/step", form)
    assert sorted(clinic.rows(STATES)) == [("cancelled", MAILS), ("queued", MAILS)]
    page = client.get(first.location, headers={"Accept-Language": "en"}).text
    assert f"{MAILS} of {MAILS}." in page
    assert "Done." in page
    actions = "SELECT action, count, target, reason, who FROM balansity.operator_action"
    assert [(each[0], each[1], each[3], each[4]) for each in clinic.rows(actions)] == [
        ("cancel", MAILS, "sent by mistake", "vera")
    ]


def test_a_stopped_one_leaves_the_rest(client: FlaskClient, clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
    environment.setattr("db.batches.ROWS", 10)
    environment.setattr(bulk, "STEP_SECONDS", 0.0)
    _, form = decide(client)
    address = press(client, "/actions", form).location
    press(client, f"{address}/step", form)
    assert clinic.value("SELECT done FROM balansity.bulk_action") == 10
    press(client, f"{address}/step", form)
    press(client, f"{address}/stop", form)
    press(client, f"{address}/step", form)
    assert sorted(clinic.rows(STATES)) == [("cancelled", 20), ("queued", 20)]
    assert "Stopped by vera." in client.get(address, headers={"Accept-Language": "en"}).text


def test_while_one_step_works_another_waits_and_one_that_died_is_taken_over(
    client: FlaskClient, clinic: Clinic
) -> None:
    _, form = decide(client)
    address = press(client, "/actions", form).location
    taken = "UPDATE balansity.bulk_action SET taken_until = clock_timestamp() + %s * interval '1 minute' RETURNING 1"
    clinic.rows(taken, 1)
    press(client, f"{address}/step", form)
    assert clinic.rows(STATES) == [("queued", MAILS)]
    clinic.rows(taken, -1)
    press(client, f"{address}/step", form)
    assert clinic.rows(STATES) == [("cancelled", MAILS)]


def test_what_cannot_be_done_is_tried_once_and_what_runs_is_counted_once(
    client: FlaskClient, clinic: Clinic, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr("db.batches.ROWS", 10)
    environment.setattr(bulk, "STEP_SECONDS", 0.0)
    clinic.rows(
        "UPDATE dramatiq.queue SET state = 'consumed' WHERE message_id IN"
        " (SELECT message_id FROM dramatiq.queue ORDER BY position LIMIT 15) RETURNING 1"
    )
    clinic.rows(
        "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;"
        " CREATE TRIGGER refuse BEFORE UPDATE ON dramatiq.queue FOR EACH ROW WHEN (OLD.position %% 13 = 0)"
        " EXECUTE FUNCTION pg_temp.refuse(); SELECT 1"
    )
    _, form = decide(client)
    address = press(client, "/actions", form).location
    for _ in range(8):
        press(client, f"{address}/step", form)
    refused = clinic.value("SELECT count(*) FROM dramatiq.queue WHERE state = 'queued'")
    assert refused > 0
    told = "SELECT done, skipped, ended_at IS NOT NULL FROM balansity.bulk_action"
    assert clinic.rows(told) == [(MAILS, refused, True)]
    assert clinic.value("SELECT count(*) FROM dramatiq.cancellation") == 15


def test_a_kind_of_failure_is_tried_again_alone(client: FlaskClient, clinic: Clinic) -> None:
    clinic.rows(
        "UPDATE dramatiq.queue SET state = 'rejected', error = CASE WHEN position %% 4 = 0 THEN 'ValueError: no' ELSE"
        " 'mail.checks.Unsendable: <a> is no address' END RETURNING 1"
    )
    failures = client.get("/failures").text
    [fingerprint] = re.findall(r'failure=(\w+)">\w+</a></td><td[^>]*>send_email</td><td[^>]*>ValueError', failures)
    page, form = decide(client, "redrive", f"failure={fingerprint}")
    assert f"{MAILS // 4} messages" in page
    address = press(client, "/actions", form).location
    press(client, f"{address}/step", form)
    assert sorted(clinic.rows(STATES)) == [("queued", MAILS // 4), ("rejected", MAILS - MAILS // 4)]
    press(client, f"{address}/step", form)
    assert clinic.value("SELECT ended_at IS NOT NULL FROM balansity.bulk_action")


def test_dead_ones_are_deleted_for_good(client: FlaskClient, clinic: Clinic) -> None:
    clinic.rows("UPDATE dramatiq.queue SET state = 'rejected', error = 'ValueError: no' RETURNING 1")
    _, form = decide(client, "discard", "state=dead")
    press(client, f"{press(client, '/actions', form).location}/step", form)
    assert clinic.rows(STATES) == []


@pytest.mark.parametrize(
    "change",
    [
        {"state": "done"},
        {"state": "odd"},
        {"action": "pause"},
        {"reason": " "},
        {"id": "7"},
        {"about": "to=anna@example.com"},
        {"since": "yesterday"},
        {"queue": "pigeons"},
    ],
)
def test_what_the_form_never_said_is_refused_and_nothing_is_done(
    client: FlaskClient, clinic: Clinic, change: dict[str, str]
) -> None:
    _, form = decide(client)
    assert press(client, "/actions", form | change).status_code == 400
    assert clinic.value("SELECT count(*) FROM balansity.bulk_action") == 0


def test_a_reader_decides_nothing(client: FlaskClient, clinic: Clinic) -> None:
    page, form = decide(client)
    client.post("/logout", data=form)
    log_in(client, READER)
    form["csrf_token"] = token(client.get("/queues").text)
    form["id"] = str(uuid4())
    assert press(client, "/actions", form).status_code == 403
    page, _ = decide(client)
    assert "<button>Cancel all" not in page
