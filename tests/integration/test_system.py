"""/health/system says to everybody whether all is well, by the same checks, and nothing else."""

import json

import pytest
from flask.testing import FlaskClient

import settings
from db.connection import Connection
from db.database import pool
from tests.integration.broker_cases import run
from tests.integration.test_checks import alive, waits
from web import system
from web.app import create_app

__all__ = ["alive"]


@pytest.fixture
def client(alive: Connection) -> FlaskClient:
    system.seen.clear()
    return create_app().test_client()


def test_a_sound_system_is_well_without_a_login(client: FlaskClient) -> None:
    answer = client.get("/health/system")
    assert answer.status_code == 200
    assert json.loads(answer.text)["well"] is True
    assert {"check": "queue-late", "verdict": "good"} in json.loads(answer.text)["checks"]
    assert all(each.keys() == {"check", "verdict"} for each in json.loads(answer.text)["checks"])


def test_a_late_queue_is_not_well_and_a_payment_that_waits_for_a_person_is(
    client: FlaskClient, alive: Connection
) -> None:
    run(
        alive,
        "INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at) VALUES (gen_random_uuid(), 'a', now())",
    )
    assert client.get("/health/system").status_code == 200
    system.seen.clear()
    waits(alive, "emails", 5)
    answer = client.get("/health/system")
    assert answer.status_code == 503
    assert [each["check"] for each in json.loads(answer.text)["checks"] if each["verdict"] == "bad"] == ["queue-late"]


def test_a_database_that_is_away_is_said(client: FlaskClient, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:9/clinic")
    settings.current.cache_clear()
    pool.closeall()
    answer = client.get("/health/system")
    assert (answer.status_code, json.loads(answer.text)["checks"]) == (
        503,
        [{"check": "database-away", "verdict": "bad"}],
    )
    assert "hunter2" not in answer.text
