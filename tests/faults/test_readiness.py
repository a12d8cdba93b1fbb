"""A balancer hears at once whether requests can be served: not while the database takes no writes."""

import time
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

import settings
from db.database import pool
from db.migrate import migrate
from db.readiness import ANSWER_SECONDS, AWAY, READ_ONLY, UNMIGRATED
from tests.faults import trouble
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer
from tests.waiting import until
from web.app import create_app

SLACK_SECONDS = 2.0  # on a busy machine


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        migrate(server.url)
        yield server


@pytest.fixture
def client(own_server: OwnServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Of the web process, whose pages are closed."""
    monkeypatch.setenv("DATABASE_URL", own_server.url)
    settings.current.cache_clear()
    yield create_app().test_client()
    pool.closeall()
    settings.current.cache_clear()


def test_it_is_ready_while_the_database_takes_writes_and_not_before_it_does(
    own_server: OwnServer, client: FlaskClient
) -> None:
    assert said(client) == (200, "Good.\n")
    with trouble.read_only(own_server):
        until(lambda: said(client) == (503, f"{READ_ONLY}\n"), "a server that takes no writes is noticed")
        assert client.get("/healthz").status_code == 200, "to restart this process would mend nothing"
    until(lambda: said(client) == (200, "Good.\n"), "and so is that it takes them again")
    with own_server.away():
        until(lambda: said(client) == (503, f"{AWAY}\n"), "a server that is away is noticed")
        assert client.get("/healthz").status_code == 200
    until(lambda: said(client) == (200, "Good.\n"), "and so is its return")


def test_a_server_that_hangs_is_told_in_time(own_server: OwnServer, client: FlaskClient) -> None:
    with trouble.frozen(own_server):
        began = time.monotonic()
        assert said(client) == (503, f"{AWAY}\n")
        assert ANSWER_SECONDS <= time.monotonic() - began < ANSWER_SECONDS + SLACK_SECONDS
    until(lambda: said(client) == (200, "Good.\n"), "it goes on")


def test_a_standby_is_not_ready_until_it_is_promoted(
    own_server: OwnServer, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_server.standby() as standby:
        monkeypatch.setenv("DATABASE_URL", standby.url)
        settings.current.cache_clear()
        assert said(client) == (503, f"{READ_ONLY}\n")
        standby.promote()
        until(lambda: said(client) == (200, "Good.\n"), "the new primary serves")


def test_a_database_without_our_tables_is_not_ready(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database)
    settings.current.cache_clear()
    assert said(create_app().test_client()) == (503, f"{UNMIGRATED}\n")
    settings.current.cache_clear()


def test_what_is_late_and_who_is_away_beside_us_does_not_make_it_unready(
    own_server: OwnServer, client: FlaskClient
) -> None:
    own_server.query(
        "INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at) "
        """VALUES (gen_random_uuid(), 'emails', 'queued', '{"actor_name": "send_email"}', now() - interval '1 day')"""
    )
    own_server.query(
        "INSERT INTO balansity.provider_state (provider, state, since, noticed_by, next_probe_at) "
        "VALUES ('sendgrid', 'away', now(), 'worker 1', now())"
    )
    assert said(client) == (200, "Good.\n")


def said(client: FlaskClient) -> tuple[int, str]:
    answer = client.get("/readyz")
    return answer.status_code, answer.text
