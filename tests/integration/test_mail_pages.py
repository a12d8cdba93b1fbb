"""The pages are closed unless a login is set, and show every mail; the commands tell the ledger's story."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import cli
import settings
from commands import mail as commands
from db.connection import Connection
from mail.delivery import deliver
from mail.order import read_order
from mail.template import TEMPLATES
from tests.integration import mail_cases as cases
from tests.pages import OPERATOR as LOGIN
from tests.pages import USERS
from web.app import create_app


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setenv("WEB_USERS", USERS)
    settings.current.cache_clear()
    yield create_app().test_client()
    settings.current.cache_clear()


def send(**change: object) -> None:
    order = {
        "to": "anna@example.com",
        "subject": "Тема",
        "template": "report_ready",
        "variables": {"name": "Анна"},
        **change,
    }
    deliver(read_order(order), str(change))


def run(command: str, *arguments: str) -> str:
    result = CliRunner().invoke(getattr(commands, command), arguments, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("path", ["/mails", "/mails/report_ready.html", "/nowhere"])
def test_pages_are_closed_without_a_login_in_the_settings(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEB_USERS", raising=False)
    settings.current.cache_clear()
    assert create_app().test_client().get(path).status_code == 403
    settings.current.cache_clear()


@pytest.mark.parametrize("login", [None, (LOGIN[0], "falsch"), ("вера", LOGIN[1]), ("", "")])
def test_a_wrong_login_is_refused(client: FlaskClient, login: tuple[str, str] | None) -> None:
    answer = client.get("/mails", auth=login)
    assert (answer.status_code, answer.headers["WWW-Authenticate"].partition(" ")[0]) == (401, "Basic")


def test_the_overview_shows_every_template(client: FlaskClient) -> None:
    page = client.get("/mails", auth=LOGIN)
    assert page.status_code == 200
    assert all(f"/mails/{name}.html" in page.text for name in TEMPLATES)
    assert "уходит, несмотря на: возврат письма, жалобу, отписку" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_each_mail_is_shown_in_both_kinds(client: FlaskClient, name: str) -> None:
    html = client.get(f"/mails/{name}.html", auth=LOGIN)
    text = client.get(f"/mails/{name}.txt", auth=LOGIN)
    assert (html.mimetype, text.mimetype) == ("text/html", "text/plain")
    assert "Здравствуйте, Анна!" in html.text
    assert "Здравствуйте, Анна!" in text.text


@pytest.mark.parametrize("path", ["/mails/layout.html", "/mails/report_ready.pdf", "/mails/..%2F..%2Fsettings.html"])
def test_other_files_are_not_served(client: FlaskClient, path: str) -> None:
    assert client.get(path, auth=LOGIN).status_code == 404


def test_failed_deliveries_are_found_with_their_reason(environment: pytest.MonkeyPatch) -> None:
    send()
    send(template="newsletter")
    assert "unknown template" in run("deliveries", "--failed")
    (failed,) = json.loads(run("deliveries", "--failed", "--json"))
    assert failed["state"] == "failed"
    assert len(json.loads(run("deliveries", "--json"))) == 2


def test_one_delivery_tells_its_story(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    send(key="report:7")
    told = run("deliveries", "report:7")
    assert "attempt 1 by file: sent" in told
    assert "anna@example.com" in told
    assert json.loads(run("deliveries", "report:7", "--json"))["attempt"][0]["outcome"] == "sent"
    assert CliRunner().invoke(commands.deliveries, ["nothing"]).exit_code == 1


def test_a_beginning_that_several_deliveries_share_lists_them(
    environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    for number in (1, 10, 11):
        send(key=f"report:{number}")
    assert len(json.loads(run("deliveries", "report:", "--json"))) == 3
    assert json.loads(run("deliveries", "report:1", "--json"))["key"] == "report:1"
    refused = CliRunner().invoke(cli.main, ["deliveries", "--resend", "report:", "--reason", "a test"])
    assert (refused.exit_code, "'report:' begins more than one delivery" in refused.output) == (1, True)


def test_a_suppression_is_listed_and_lifted(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO balansity.suppression VALUES ('anna@example.com', 'bounced', NULL, now())")
    assert "anna@example.com" in run("suppressions")
    assert "0 suppressed" in run("suppressions", "--lift", "Anna@example.com", "--reason", "a test")
    assert cases.row(connection, "SELECT count(*) FROM balansity.suppression") == {"count": 0}
    assert (
        CliRunner().invoke(commands.suppressions, ["--lift", "anna@example.com", "--reason", "a test"]).exit_code == 1
    )


def test_templates_are_listed_and_previewed() -> None:
    listed = run("preview")
    assert all(name in listed for name in TEMPLATES)
    assert run("preview", "report_ready").startswith("Ваш отчет готов")
    assert run("preview", "report_ready", "--html").startswith("<!DOCTYPE html>")
