"""The first page shows the state to whoever has the login, and to nobody else."""

import html
import re

import pytest
from flask.testing import FlaskClient

import settings
from db.connection import Connection
from db.database import pool
from errors import SettingsError
from tests.integration.broker_cases import run
from tests.integration.test_checks import alive, waits
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from web.app import create_app

__all__ = ["alive"]


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("WEB_USERS", USERS)
    return create_app().test_client()


def english(client: FlaskClient) -> str:
    return html.unescape(client.get("/", auth=LOGIN, headers={"Accept-Language": "en"}).text)


def test_it_is_closed_without_the_login(client: FlaskClient) -> None:
    assert client.get("/").status_code == 401
    assert client.get("/", auth=("doctor", "guess")).status_code == 401


def test_it_is_closed_while_no_login_is_set(environment: pytest.MonkeyPatch) -> None:
    answer = create_app().test_client().get("/", auth=LOGIN)
    assert answer.status_code == 403


def test_no_page_opens_under_wrong_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EMAIL_RATE_LIMIT", "many")
    settings.current.cache_clear()
    with pytest.raises(SettingsError, match="EMAIL_RATE_LIMIT: 'many'"):
        create_app()


def test_it_says_first_whether_all_is_on_time(client: FlaskClient, alive: Connection) -> None:
    page = english(client)
    assert "Everything is on time." in page
    assert "Needs attention" not in page
    waits(alive, "emails", 5)
    page = english(client)
    assert "Needs attention: 1" in page
    assert '<a href="/queues/emails">Queue emails is late: its oldest message has been due since' in page
    assert "Очередь emails опаздывает" in client.get("/", auth=LOGIN, headers={"Accept-Language": "ru"}).text


def test_it_says_what_is_paused_beside_what_is_wrong(client: FlaskClient, alive: Connection) -> None:
    run(alive, "SELECT dramatiq.pause_queue('reports', NULL, 'vera', 'a test')")
    page = english(client)
    assert "Everything is on time." in page
    assert "Queue reports is paused until it is resumed, by vera: a test" in page


def test_of_many_alike_it_shows_the_first_and_how_many_more(client: FlaskClient, alive: Connection) -> None:
    flag = "INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at) VALUES (gen_random_uuid(), 'a', now())"
    for _ in range(5):
        run(alive, flag)
    page = english(client)
    assert page.count("waits for a person") == 3
    assert "And 2 more of this kind." in page
    assert "Needs attention: 5" in page


def test_it_shows_queues_and_jobs_without_their_data(client: FlaskClient, alive: Connection) -> None:
    run(alive, """SELECT dramatiq.send('send_email', '{"to": "anna@example.com", "subject": "s", "template": "t"}')""")
    run(alive, "UPDATE dramatiq.queue SET state = 'rejected', error = 'ValueError: no mail for anna@example.com'")
    run(alive, """SELECT pgmq.send('email_queue', '{"to": "anna@example.com"}')""")
    page = english(client)
    for words in ("emails", "Waiting in pgmq: email_queue 1", "send-appointment-reminders", "send_email, ValueError"):
        assert words in page
    assert "anna" not in page


def test_every_figure_of_a_queue_leads_to_what_it_counts(client: FlaskClient, alive: Connection) -> None:
    page = english(client)
    for address in re.findall(r'href="(/[^"]*)"', page):
        with client.get(address, auth=LOGIN) as answer:
            assert answer.status_code == 200, address
    assert 'href="/queues/emails"' in page
    assert 'href="/failures"' in page


def test_health_is_open_and_says_only_whether_the_database_answers(
    client: FlaskClient, environment: pytest.MonkeyPatch
) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.text) == (200, "Good.\n")
    environment.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:9/clinic")
    settings.current.cache_clear()
    pool.closeall()
    answer = client.get("/health")
    assert (answer.status_code, answer.text) == (503, "The database does not answer.\n")


def test_a_page_on_a_database_that_is_not_migrated_says_what_to_do(
    empty_database: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DATABASE_URL", empty_database)
    environment.setenv("WEB_USERS", USERS)
    settings.current.cache_clear()
    answer = create_app().test_client().get("/", auth=LOGIN)
    assert answer.status_code == 503
    assert "run `balansity migrate`" in answer.text
