"""The page of numbers shows a period in tables and plots, to those who may see it."""

import json
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import settings
from db import queries
from web.app import create_app

LOGIN = ("clinic", "secret")
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("WEB_USERNAME", LOGIN[0])
    environment.setenv("WEB_PASSWORD", LOGIN[1])
    settings.current.cache_clear()
    return create_app().test_client()


def test_events_are_in_a_table_and_in_a_plot(client: FlaskClient, connection: Connection) -> None:
    event = {"key": "a", "type": "<page & seen>", "occurred_at": AT.isoformat(), "facts": {}}
    queries.load("analytics").record(connection, events=json.dumps([event]), zone="Europe/Moscow", at=AT)
    page = client.get("/numbers?from=2026-11-01&to=2026-11-30", auth=LOGIN)
    assert page.status_code == 200
    assert '<td>&lt;page &amp; seen&gt;</td><td class="figure">1</td>' in page.text
    assert "<title>2026-11-23: 1</title>" in page.text
    assert page.text.count("<rect ") == 30
    assert "<page & seen>" not in page.text


def test_without_dates_the_page_shows_thirty_days(client: FlaskClient) -> None:
    page = client.get("/numbers", auth=LOGIN)
    assert page.status_code == 200
    assert page.text.count("Nothing in these days.") == 5


@pytest.mark.parametrize("query", ["from=yesterday", "from=2026-11-30&to=2026-11-01", "from=1900-01-01&to=2026-11-01"])
def test_a_period_that_makes_no_sense_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/numbers?{query}", auth=LOGIN).status_code == 400


def test_the_page_is_closed_to_strangers(client: FlaskClient) -> None:
    assert client.get("/numbers").status_code == 401
