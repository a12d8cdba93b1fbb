"""A queue is paused on its page, for a span or until a time by the clinic's clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

import actors
from tests.clinic import Clinic
from tests.pages import log_in, open_pages, token

MOSCOW = ZoneInfo("Europe/Moscow")
UNTIL = "SELECT until FROM dramatiq.current_pause"


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic, database: str) -> FlaskClient:
    actors.publish(database)
    client = open_pages(environment)
    log_in(client)
    return client


def pause(client: FlaskClient, **form: str) -> Any:
    page = client.get("/queues/emails").text
    sent = {"csrf_token": token(page), "span": "1h", "reason": "the provider asks", **form}
    return client.post("/queues/emails/pause", data=sent, headers={"Accept-Language": "en"})


def test_it_goes_on_at_the_time_that_the_clinics_clocks_show(client: FlaskClient, clinic: Clinic) -> None:
    at = (datetime.now(UTC) + timedelta(hours=3)).astimezone(MOSCOW).replace(second=0, microsecond=0)
    assert pause(client, until=f"{at:%Y-%m-%dT%H:%M}").status_code == 303
    assert clinic.value(UNTIL) == at


def test_without_a_time_the_span_counts(client: FlaskClient, clinic: Clinic) -> None:
    assert pause(client, until="").status_code == 303
    assert timedelta(minutes=55) < clinic.value(UNTIL) - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("form", [{"until": "2020-01-01T10:00"}, {"until": "soon"}, {"span": "1y"}, {"reason": " "}])
def test_what_cannot_be_meant_is_refused(client: FlaskClient, clinic: Clinic, form: dict[str, str]) -> None:
    assert pause(client, **form).status_code == 400
    assert clinic.rows(UNTIL) == []
