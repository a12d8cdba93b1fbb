"""Who may see the pages, and who may act on them: sessions, forms of our own only, roles, and a log of who did what."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from click.testing import CliRunner
from flask.testing import FlaskClient

import cli
import settings
from db.connection import Connection
from desk.decision import Decision, record
from errors import BalansityError
from tests.pages import OPERATOR, READER, USERS, log_in, open_pages, token
from web import access
from web.app import create_app

HTML = {"Accept": "text/html"}


@pytest.fixture
def client(environment: pytest.MonkeyPatch, connection: Connection) -> FlaskClient:
    del connection  # the database
    return open_pages(environment)


def test_people_log_in_by_a_form_come_back_to_their_page_and_log_out(client: FlaskClient) -> None:
    answer = client.get("/log?before=9", headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/login?next=%2Flog%3Fbefore%3D9")
    log_in(client)
    page = client.get("/log")
    assert page.status_code == 200
    assert "vera · оператор" in page.text
    assert client.post("/logout", data={"csrf_token": token(page.text)}).location == "/login"
    assert client.get("/log", headers=HTML).status_code == 303


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\r\nb"])
def test_the_login_leads_to_no_other_site(client: FlaskClient, target: str) -> None:
    form = client.get("/login").text
    data = {"csrf_token": token(form), "name": OPERATOR[0], "password": OPERATOR[1]}
    assert client.post("/login", query_string={"next": target}, data=data).location == "/"


def test_a_wrong_login_is_refused_and_then_throttled(client: FlaskClient) -> None:
    form = client.get("/login").text
    answers = [
        client.post("/login", data={"csrf_token": token(form), "name": name, "password": "guess"}).status_code
        for name in ("vera", "nobody", "", "вера", "vera", "vera", "vera")
    ]
    assert answers == [401] * 5 + [429] * 2
    right = {"csrf_token": token(form), "name": OPERATOR[0], "password": OPERATOR[1]}
    assert client.post("/login", data=right).status_code == 429


def test_a_session_ends_after_twelve_hours_and_with_a_change_of_users(
    client: FlaskClient, environment: pytest.MonkeyPatch
) -> None:
    log_in(client)
    environment.setattr(access, "SESSION_SECONDS", -1)
    assert client.get("/log").status_code == 401
    environment.undo()
    cookie = client.get_cookie("session")
    assert cookie
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    environment.setenv("WEB_USERS", USERS.split()[1])
    settings.current.cache_clear()
    other = create_app().test_client()
    other.set_cookie("session", cookie.value)
    assert other.get("/log").status_code == 401


@pytest.mark.parametrize("path", ["/login", "/logout", "/language"])
def test_no_form_is_obeyed_that_is_not_ours(client: FlaskClient, path: str) -> None:
    log_in(client)
    answer = client.post(path, data={"language": "en", "name": OPERATOR[0], "password": OPERATOR[1]})
    assert answer.status_code == 400
    assert client.get("/log").status_code == 200


def test_nothing_is_done_by_a_basic_login(client: FlaskClient) -> None:
    assert client.get("/log", auth=READER).status_code == 200
    assert client.post("/logout", auth=OPERATOR).status_code == 401


def test_a_polling_page_whose_session_has_ended_goes_to_the_login(client: FlaskClient) -> None:
    answer = client.get("/log", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login?next=%2Flog")


def test_readers_look_and_operators_act(client: FlaskClient) -> None:
    client.application.add_url_rule("/act", "act", access.operator(lambda: "done"), methods=["POST"])
    for login, answer in ((READER, 403), (OPERATOR, 200)):
        log_in(client, login)
        form = token(client.get("/log").text)
        assert client.post("/act", data={"csrf_token": form}).status_code == answer


def test_the_log_tells_who_did_what_and_why(client: FlaskClient, connection: Connection) -> None:
    for number in range(60):
        record(connection, Decision("vera", "page", f"number {number}"), "redrive", "emails", number)
    log_in(client)
    page = client.get("/log")
    assert re.findall(r"number (\d+)", page.text) == [str(number) for number in range(59, 9, -1)]
    assert "Показано 50 из 60." in page.text
    [older] = re.findall(r'href="(/log\?before=\d+)"', page.text)
    assert "number 9<" in client.get(older).text
    shown = CliRunner().invoke(cli.main, ["log", "--limit", "2"], env={"COLUMNS": "120"}).output
    assert "2 of 60 actions" in shown
    assert "number 59" in shown
    with pytest.raises(BalansityError, match="Give a reason"):
        Decision("vera", "shell", " ")


@pytest.mark.parametrize(
    ("password", "refusal"), [("short", "12 characters"), ("aaaaaaaaaaaaaaa", "5 different"), ("", "12 characters")]
)
def test_a_bad_password_makes_no_user(password: str, refusal: str) -> None:
    answer = CliRunner().invoke(cli.main, ["user", "vera"], input=password + "\n")
    assert answer.exit_code == 1
    assert refusal in answer.output


def test_the_line_of_a_user_lets_them_in(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    del connection
    line = CliRunner().invoke(cli.main, ["user", "pavel.k", "--role", "reader"], input="a good long one\n").output
    environment.setenv("WEB_USERS", f"{USERS}\n{line}")
    settings.current.cache_clear()
    client = create_app().test_client()
    log_in(client, ("pavel.k", "a good long one"))
    assert "pavel.k · читатель" in client.get("/log").text


def test_pages_speak_the_language_that_their_reader_chooses(client: FlaskClient) -> None:
    log_in(client)
    assert '<html lang="ru">' in client.get("/log").text
    page = client.get("/log", headers={"Accept-Language": "en-GB"}).text
    assert "Who did what, and why" in page
    form = {"csrf_token": token(page), "language": "en", "page": "/log"}
    assert client.post("/language", data=form).location == "/log"
    assert '<html lang="en">' in client.get("/log").text


def test_no_page_quotes_an_error_which_may_name_a_person(client: FlaskClient, connection: Connection) -> None:
    with connection.cursor() as cursor:
        for error in ("ValueError: no letter for Anna Petrova", "Anna Petrova: none", "No mail for Anna"):
            cursor.execute(
                "INSERT INTO dramatiq.queue (message_id, queue_name, state, message, error) VALUES "
                """(gen_random_uuid(), 'emails', 'rejected', '{"actor_name": "send_email", "args": ["Anna"]}', %s)""",
                (error,),
            )
    log_in(client, READER)
    assert "ValueError" in client.get("/failures").text
    for rule in client.application.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments:
            with client.get(rule.rule) as answer:
                assert "anna" not in answer.get_data(as_text=True).lower(), rule.rule


def test_every_sentence_has_its_translation_and_none_is_left_over() -> None:
    methods = [("web/templates/**.html", "jinja2.ext:babel_extract")]
    methods += [(f"{room}/**.py", "python") for room in ("web", "desk", "checks", "alarms")]
    methods += [("scheduler.py", "python"), ("db/statistics.py", "python")]
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "Refused": None}
    sentences = {
        sentence[0] if isinstance(sentence, tuple) else sentence
        for _, _, sentence, _, _ in extract_from_dir(settings.ROOT, methods, keywords=keywords)
    }
    with Path(settings.ROOT, "web/translations/ru.po").open("rb") as file:
        translated = {
            message.id[0] if isinstance(message.id, tuple) else message.id
            for message in read_po(file, locale="ru")
            if message.id and (all(message.string) if isinstance(message.string, tuple) else message.string)
        }
    assert len(sentences) > 100
    assert sentences == translated
