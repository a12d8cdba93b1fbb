"""A provider that accepts mails and reports nothing of them is found out, and what still has time waits."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from click import Command
from click.testing import CliRunner
from flask.testing import FlaskClient

import settings
from actors.emails import send_email, watch
from commands.doctor import doctor
from commands.mail import deliveries
from commands.status import status
from db.connection import Connection
from tests.clinic import Clinic
from tests.integration.test_mail_events import PUBLIC_KEY, post
from tests.servers.sendgrid import SendGrid
from tests.waiting import until
from web.app import create_app

MINUTE = timedelta(minutes=1)
PROBE_NOW = """
    UPDATE balansity.provider_state SET next_probe_at = now() - interval '1 second';
    UPDATE dramatiq.queue SET delayed = false, available_at = now() WHERE message_id = (
        SELECT message_id FROM balansity.held_message ORDER BY deadline, message_id LIMIT 1
    );
    SELECT dramatiq.ring(ARRAY['emails'])
"""
SETTLED = "SELECT state = 'done' OR delayed FROM dramatiq.queue WHERE message #>> '{kwargs,key}' = %s"
UNHEARD = """
    INSERT INTO balansity.provider_state (provider, state, since, reason, noticed_by, next_probe_at)
    VALUES ('sendgrid', 'unheard', now(), 'odd', 'a test', now() + %s)
"""


@pytest.fixture
def provider(provider: SendGrid, environment: pytest.MonkeyPatch) -> SendGrid:
    """A SendGrid whose events reach us."""
    environment.setenv("SENDGRID_WEBHOOK_PUBLIC_KEY", PUBLIC_KEY)
    settings.current.cache_clear()
    provider.webhook = partial(report, create_app().test_client())
    return provider


def report(client: FlaskClient, events: list[dict[str, Any]]) -> None:
    assert post(client, json.dumps(events).encode()) == 204


def send(clinic: Clinic, *names: str) -> None:
    """Send mails without a deadline, and wait until each has been sent or is held."""
    for name in names:
        order = {"to": f"{name}@example.com", "subject": "Тема", "template": "report_ready", "key": name}
        send_email.send(**order, variables={"name": "Анна"})
        until(partial(clinic.value, SETTLED, name), f"{name} is sent or held")


def pass_time(clinic: Clinic, minutes: int = 16) -> None:
    span = timedelta(minutes=minutes)
    clinic.rows(
        "UPDATE balansity.delivery_attempt SET started_at = started_at - %s, finished_at = finished_at - %s", span, span
    )
    clinic.rows("UPDATE balansity.delivery_event SET received_at = received_at - %s", span)


def listen() -> str:
    return watch(datetime.now(UTC))


def state(clinic: Clinic) -> str:
    return str(clinic.value("SELECT coalesce(max(state), 'never odd') FROM balansity.provider_state"))


def probe(clinic: Clinic, name: str) -> None:
    """Let the first in line probe, and wait until it is sent."""
    clinic.rows(PROBE_NOW)
    until(lambda: clinic.value("SELECT state = 'done' FROM dramatiq.queue WHERE message #>> '{kwargs,key}' = %s", name))


def said(command: Command, *options: str) -> str:
    return CliRunner().invoke(command, options, env={"COLUMNS": "250"}, catch_exceptions=False).output


@pytest.mark.usefixtures("worker")
def test_a_suspended_account_is_found_out_and_mails_wait_until_one_is_heard_of(
    provider: SendGrid, clinic: Clinic
) -> None:
    send(clinic, "heard")
    until(lambda: clinic.value("SELECT state FROM balansity.delivery") == "delivered", "its events came")
    provider.suspended = True
    send(clinic, "lost1", "lost2", "lost3")
    pass_time(clinic)
    assert listen() == "sendgrid: unheard"
    for command in (doctor, status):
        assert "reports nothing of them any more: its account may be suspended" in said(command)
    assert said(deliveries, "--unheard").count("report_ready") == 3
    clinic.rows("UPDATE balansity.delivery SET changed_at = changed_at - interval '31 days' WHERE key = 'lost1'")
    recent = said(deliveries, "--unheard")
    assert (recent.count("report_ready"), "more than 30 days ago was looked at" in recent) == (2, True)
    assert said(deliveries, "--unheard", "--since", "60d").count("report_ready") == 3

    send(clinic, "probe")  # the first that asks
    send(clinic, "held")
    assert (len(provider.swallowed), listen(), state(clinic)) == (4, "sendgrid: unheard", "unheard")
    tries = "SELECT coalesce((message #>> '{options,retries}')::int, 0) FROM dramatiq.queue WHERE delayed"
    assert clinic.value(tries) == 0

    provider.suspended = False
    send(clinic, "held2")
    assert len(provider.accepted) == 1
    first_held = clinic.value(
        "SELECT q.message #>> '{kwargs,key}' FROM balansity.held_message JOIN dramatiq.queue q "
        "USING (message_id) ORDER BY message_id LIMIT 1"
    )
    probe(clinic, first_held)
    until(lambda: state(clinic) == "available", "the probe's event ends it")
    until(lambda: len(provider.accepted) == 3, "all that was held has gone")
    assert "Providers that are away or unheard of: none" in said(doctor)

    lost = clinic.value("SELECT id::text FROM balansity.delivery WHERE key = 'lost2'")
    assert "is on its way again" in said(deliveries, "--resend", lost, "--reason", "a test")
    until(lambda: lost in provider.deliveries(), "a person has sent again what was lost")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("names", "minutes"), [(["a", "b"], 16), (["a", "b", "c"], 14), (["a", "b", "c", "heard"], 16)]
)
def test_a_few_lost_events_or_a_late_one_are_no_silence(
    provider: SendGrid, clinic: Clinic, names: list[str], minutes: int
) -> None:
    send(clinic, "before")
    until(lambda: clinic.value("SELECT state FROM balansity.delivery") == "delivered", "its events came")
    webhook, provider.webhook = provider.webhook, None
    send(clinic, *[name for name in names if name != "heard"])
    provider.webhook = webhook
    if "heard" in names:
        send(clinic, "heard")
        until(lambda: clinic.value("SELECT count(*) FROM balansity.delivery WHERE state = 'delivered'") == 2)
    pass_time(clinic, minutes)
    assert (listen(), state(clinic)) == ("sendgrid: heard", "never odd")


@pytest.mark.usefixtures("worker")
def test_a_provider_that_never_reported_is_told_of_and_stops_no_mail(provider: SendGrid, clinic: Clinic) -> None:
    provider.webhook = None
    send(clinic, "a", "b", "c")
    pass_time(clinic)
    assert (listen(), state(clinic)) == ("sendgrid: never heard", "available")
    assert "it accepts mails and has never reported on any: its events are not switched on" in said(doctor)
    send(clinic, "d")
    assert len(provider.accepted) == 4


@pytest.mark.usefixtures("worker")
def test_only_news_of_a_mail_that_left_in_the_silence_ends_it(
    provider: SendGrid, clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    held_back: list[list[dict[str, Any]]] = []
    send(clinic, "heard")
    until(lambda: clinic.value("SELECT state FROM balansity.delivery") == "delivered", "its events came")
    webhook, provider.webhook = provider.webhook, held_back.append
    assert webhook
    send(clinic, "before", "a", "b", "c")
    until(lambda: len(held_back) == 4)
    pass_time(clinic)
    assert listen() == "sendgrid: unheard"
    by_delivery = {events[0]["delivery"]: events for events in held_back}
    for name, then in (("before", "unheard"), ("c", "available")):
        webhook(by_delivery[clinic.value("SELECT id::text FROM balansity.delivery WHERE key = %s", name)])
        assert state(clinic) == then


@pytest.mark.usefixtures("worker")
def test_a_provider_that_is_to_report_no_more_is_unheard_no_more(
    provider: SendGrid, clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    send(clinic, "heard")
    until(lambda: clinic.value("SELECT state FROM balansity.delivery") == "delivered", "its events came")
    provider.suspended = True
    send(clinic, "a", "b", "c")
    pass_time(clinic)
    listen()
    send(clinic, "probe", "held")
    environment.delenv("SENDGRID_WEBHOOK_PUBLIC_KEY")
    settings.current.cache_clear()
    assert listen() == "no provider reports on its mails"
    until(lambda: len(provider.swallowed) == 5, "a person has decided that mails go")


@pytest.mark.parametrize(("minutes", "goes"), [(29, True), (90, False)])
def test_an_unheard_provider_gets_what_has_no_time_left(undone: Connection, minutes: int, goes: bool) -> None:
    clinic = Clinic(undone)
    clinic.rows(UNHEARD, timedelta(hours=1))
    asked = "SELECT balansity.ask_for_provider('sendgrid', %s, now() + %s)"
    wait = clinic.value(asked, str(uuid4()), timedelta(minutes=minutes))
    assert wait is None if goes else wait == timedelta(minutes=minutes - 30)
    assert not goes or clinic.value("SELECT next_probe_at > now() FROM balansity.provider_state")


def test_an_unheard_provider_is_probed_ever_more_seldom(undone: Connection) -> None:
    clinic = Clinic(undone)
    clinic.rows(UNHEARD, timedelta())
    pauses = []
    for _ in range(6):
        assert clinic.value("SELECT balansity.ask_for_provider('sendgrid', %s, NULL)", str(uuid4())) is None
        pauses.append(clinic.value("SELECT next_probe_at - now() FROM balansity.provider_state") // MINUTE)
        clinic.rows("UPDATE balansity.provider_state SET next_probe_at = now()")
    assert pauses == [5, 10, 20, 40, 60, 60]
    assert clinic.value("SELECT balansity.provider_worked('sendgrid', 'w')") is False, "acceptance proves nothing"
    assert state(clinic) == "unheard"
