"""The first page shows the state to whoever has the login, and to nobody else."""

import pytest
from flask.testing import FlaskClient

import actors
import settings
from db.connection import Connection
from db.database import pool
from errors import SettingsError
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from web.app import create_app


@pytest.fixture
def client(environment: pytest.MonkeyPatch) -> FlaskClient:
    environment.setenv("WEB_USERS", USERS)
    return create_app().test_client()


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


def test_it_shows_queues_jobs_and_dead_letters_without_their_data(
    client: FlaskClient, connection: Connection, database: str
) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT dramatiq.send('send_email', '{"to": "anna@example.com", "subject": "s", "template": "t"}')"""
        )
        [(message_id,)] = cursor.fetchall()
        cursor.execute("UPDATE dramatiq.queue SET state = 'rejected', error = 'no mail for anna@example.com'")
    page = client.get("/", auth=LOGIN).text
    for words in ("emails", "email_queue", "send-appointment-reminders", "send_email", message_id):
        assert words in page
    assert "anna" not in page


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
