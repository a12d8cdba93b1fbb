"""A family ends the mails that can be done without: by its mail program's one click, or by a page's button."""

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from uuid import uuid4

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import settings
from commands import mail as commands
from db import queries
from db.connection import Connection
from errors import SettingsError
from mail import unsubscribing
from mail.template import TEMPLATES
from tests.clinic import Clinic
from tests.integration.ledger_cases import order, outbox, send
from web.app import create_app

SITE = "https://work.balansity.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
KEY, NEW_KEY = b64encode(b"k" * 32).decode(), b64encode(b"n" * 32).decode()
WHEN = {"variables": {"scheduled_at": "2030-01-01T10:00:00Z"}}


def set_up(environment: pytest.MonkeyPatch, keys: str) -> None:
    environment.setenv("WEB_URL", f"{SITE}/")
    environment.setenv("UNSUBSCRIBE_KEYS", keys)
    settings.current.cache_clear()


@pytest.fixture
def client(environment: pytest.MonkeyPatch, connection: Connection) -> FlaskClient:
    """A stranger: without a login, a session, or a CSRF token."""
    del connection  # the database
    set_up(environment, KEY)
    return create_app().test_client()


def link() -> str:
    """Where the newest mail says that one may unsubscribe, without the host."""
    (mail,) = outbox()
    address = str(mail["List-Unsubscribe"])
    assert re.fullmatch(rf"<{SITE}/unsubscribe/[\w-]{{43}}>", address)
    return address.removeprefix(f"<{SITE}").removesuffix(">")


def suppressed(clinic: Clinic) -> list[tuple[str, ...]]:
    return clinic.rows("SELECT address, reason FROM balansity.suppression")


def test_one_click_ends_reminders_and_nothing_that_a_family_must_know(client: FlaskClient, clinic: Clinic) -> None:
    send(order("appointment_reminder_24h", key="first", to="Anna@example.com", **WHEN))
    (mail,) = outbox()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    where = link()
    for kind in ("plain", "html"):
        assert f"{SITE}{where}" in mail.get_body((kind,)).get_content()  # type: ignore[union-attr]
    assert client.post(where, data=ONE_CLICK).status_code == 200
    assert suppressed(clinic) == [("anna@example.com", "unsubscribed")]
    told = {"scheduled_at": "2030-01-01T10:00:00Z", "amount": 5000, "name": "Анна"}
    for name in TEMPLATES:
        send(order(name, key=name, variables=told), name)
    states = dict(clinic.rows("SELECT key, state FROM balansity.delivery WHERE key <> 'first'"))
    ended = {"appointment_reminder_24h", "appointment_reminder_1h", "checkup_completed"}
    assert states == {name: "suppressed" if name in ended else "sent" for name in TEMPLATES}


def test_only_what_can_be_done_without_has_a_link(client: FlaskClient, clinic: Clinic) -> None:
    told = {"scheduled_at": "2030-01-01T10:00:00Z", "amount": 5000, "name": "Анна"}
    for name in TEMPLATES:
        send(order(name, key=name, variables=told), name)
    linked = {mail["X-Balansity-Template"] for mail in outbox() if mail["List-Unsubscribe"]}
    assert linked == {name for name, template in TEMPLATES.items() if template.can_be_done_without}
    assert {mail["X-Balansity-Template"] for mail in outbox() if "/unsubscribe/" in mail.as_string()} == linked
    assert not any(unsubscribing.PLACE in mail.as_string() for mail in outbox())


def test_without_a_public_address_no_mail_has_a_link(
    client: FlaskClient, clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("WEB_URL")
    settings.current.cache_clear()
    send(order("appointment_reminder_24h", **WHEN))
    (mail,) = outbox()
    assert mail["List-Unsubscribe"] is None
    assert "Отписаться" not in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_whoever_follows_the_link_is_asked_first(client: FlaskClient, clinic: Clinic) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.open(link(), method=method).status_code == 200
    assert '<form method="post">' in client.get(link()).text
    assert suppressed(clinic) == []


def test_a_button_may_be_pressed_twice(client: FlaskClient, clinic: Clinic) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    assert [("Вы отписались" in client.post(link()).text) for _ in range(2)] == [True, True]
    assert len(suppressed(clinic)) == 1
    assert "unsubscribed" in CliRunner().invoke(commands.suppressions, env={"COLUMNS": "200"}).output


def test_a_link_shows_nobody_and_is_made_by_nobody_else(client: FlaskClient, clinic: Clinic) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    token = link().rpartition("/")[2]
    content = urlsafe_b64decode(token + "=")
    assert b"anna" not in content
    forged = [urlsafe_b64encode(content[:16] + b"\0" * 16), urlsafe_b64encode(uuid4().bytes + content[16:])]
    for wrong in (
        token[:-1],
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        *(each.decode()[:43] for each in forged),
    ):
        assert client.get(f"/unsubscribe/{wrong}").status_code == 404
        assert client.post(f"/unsubscribe/{wrong}", data=ONE_CLICK).status_code == 404
    assert suppressed(clinic) == []


def test_links_of_an_older_key_are_answered_until_it_is_taken_away(
    client: FlaskClient, clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    old = link()
    set_up(environment, f"{NEW_KEY},{KEY}")
    assert client.get(old).status_code == 200
    set_up(environment, NEW_KEY)
    assert client.get(old).status_code == 404
    assert "Ссылка не" in client.get(old).text


@pytest.mark.parametrize("reason", ["bounced", "complained"])
def test_what_stops_more_stays(client: FlaskClient, clinic: Clinic, reason: str) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    clinic.rows("INSERT INTO balansity.suppression VALUES ('anna@example.com', %s, NULL, now())", reason)
    assert client.post(link(), data=ONE_CLICK).status_code == 200
    assert suppressed(clinic) == [("anna@example.com", reason)]


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_what_stops_more_takes_the_place_of_a_wish(client: FlaskClient, clinic: Clinic, kind: str) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    client.post(link(), data=ONE_CLICK)
    delivery = clinic.value("SELECT id::text FROM balansity.delivery")
    clinic.rows("SELECT balansity.record_event('e1', %s, %s, NULL, now())", delivery, kind)
    assert suppressed(clinic) == [("anna@example.com", kind)]


@pytest.mark.parametrize("kind", ["bounced", "complained"])
@pytest.mark.parametrize("wish_first", [True, False])
def test_a_wish_outlives_a_bounce_that_somebody_lifts(
    client: FlaskClient, clinic: Clinic, kind: str, wish_first: bool
) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    delivery = clinic.value("SELECT id::text FROM balansity.delivery")
    for wish in (wish_first, not wish_first):
        if wish:
            client.post(link(), data=ONE_CLICK)
        else:
            clinic.rows("SELECT balansity.record_event('e1', %s, %s, NULL, now())", delivery, kind)
    assert suppressed(clinic) == [("anna@example.com", kind)]
    for left in ([("anna@example.com", "unsubscribed")], []):
        assert queries.deliveries.lift(clinic.connection, address="Anna@example.com") == 1
        assert suppressed(clinic) == left
    assert queries.deliveries.lift(clinic.connection, address="Anna@example.com") == 0


def test_an_old_link_writes_nobody_down_again_who_was_forgotten(client: FlaskClient, clinic: Clinic) -> None:
    send(order("appointment_reminder_24h", **WHEN))
    where = link()
    clinic.rows("SELECT balansity.forget_deliveries(ARRAY[id]) FROM balansity.delivery")
    assert client.post(where, data=ONE_CLICK).status_code == 200
    assert suppressed(clinic) == []


def test_a_public_address_needs_https_and_keys() -> None:
    with pytest.raises(SettingsError, match="UNSUBSCRIBE_KEYS: is empty and WEB_URL needs it"):
        settings.load({"WEB_URL": SITE})
    with pytest.raises(SettingsError, match=r"WEB_URL: 'http://a\.example' must start with https://"):
        settings.load({"WEB_URL": "http://a.example", "UNSUBSCRIBE_KEYS": KEY})
    assert KEY in settings.secrets_of(settings.load({"WEB_URL": SITE, "UNSUBSCRIBE_KEYS": KEY}))
