"""What an outage has delayed for long does not wake a family; all else leaves whenever it is asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import dramatiq
import pytest
from click.testing import CliRunner

import settings
from actors.emails import send_email
from broker import broker
from commands.doctor import doctor
from db.connection import Connection
from gateways import availability
from mail.attempt import Wait
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.integration.ledger_cases import ledger, order, outbox
from tests.integration.mail_cases import row
from tests.waiting import until

HOUR = timedelta(hours=1)
FAR = "Pacific/Auckland"  # where it is day while it is night in Moscow
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def at_night(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Night began an hour ago by Moscow's clocks, and is over in three."""
    here = datetime.now(ZoneInfo("Europe/Moscow"))
    environment.setenv("EMAIL_NIGHT", f"{here - HOUR:%H:%M}-{here + 3 * HOUR:%H:%M}")
    settings.current.cache_clear()
    availability.seen.clear()
    return environment


def send(held_hours: float | None, **payload: Any) -> None:
    held_since = None if held_hours is None else datetime.now(UTC) - held_hours * HOUR
    deliver(read_order(order(**payload)), str(uuid4()), held_since=held_since)


@pytest.mark.parametrize("held_hours", [None, 0.9])
def test_a_mail_on_time_leaves_at_night(held_hours: float | None) -> None:
    send(held_hours)
    assert len(outbox()) == 1


def test_a_mail_that_an_outage_delayed_waits_for_the_morning(connection: Connection) -> None:
    with pytest.raises(Wait, match="an outage has delayed it into the night") as held:
        send(1.1)
    assert 2.9 * HOUR < timedelta(milliseconds=held.value.delay) <= 3 * HOUR
    assert outbox() == []
    assert (ledger(connection)["state"], ledger(connection)["attempts"]) == ("planned", 0)
    assert ledger(connection)["reason"] == str(held.value)
    assert "Mails that wait for the morning: 1" in CliRunner().invoke(doctor, env={"COLUMNS": "200"}).output


def test_an_empty_setting_lets_it_go(at_night: pytest.MonkeyPatch) -> None:
    at_night.setenv("EMAIL_NIGHT", "")
    settings.current.cache_clear()
    send(5)
    assert len(outbox()) == 1


@pytest.mark.parametrize(("hours", "leaves"), [(0.5, True), (2, True), (4, False)])
def test_a_deadline_before_the_morning_asks_for_it(hours: float, leaves: bool, clinic: Clinic, user: str) -> None:
    at = NOW + hours * HOUR
    about = {"appointment_id": clinic.book(user, at), "scheduled_at": at.isoformat()}
    if leaves:
        send(2, template="appointment_reminder_1h", variables=about)
    else:
        with pytest.raises(Wait, match="night"):
            send(2, template="appointment_reminder_1h", variables=about)
    assert len(outbox()) == leaves


def test_it_is_the_familys_night_that_counts(clinic: Clinic, user: str, at_night: pytest.MonkeyPatch) -> None:
    appointment = clinic.book(user, NOW + 30 * HOUR)
    clinic.rows("UPDATE public.appointments SET timezone = %s RETURNING id", FAR)
    about = {"appointment_id": appointment, "scheduled_at": (NOW + 30 * HOUR).isoformat()}
    send(2, template="appointment_confirmation", variables=about)
    send(2, user_id=user)
    assert len(outbox()) == 2
    there = datetime.now(ZoneInfo(FAR))
    at_night.setenv("EMAIL_NIGHT", f"{there - HOUR:%H:%M}-{there + HOUR:%H:%M}")
    settings.current.cache_clear()
    send(2)  # of nobody's whom we know: by the clinic's clocks
    with pytest.raises(Wait, match="night"):
        send(2, user_id=user)


def test_it_waits_without_a_try_and_leaves_in_the_morning(at_night: pytest.MonkeyPatch, connection: Connection) -> None:
    def change(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    change("SELECT balansity.provider_failed('file', 'disk full', 'a worker', NULL)")
    worker = dramatiq.Worker(broker, queues={"emails"}, worker_timeout=100, worker_threads=1)
    worker.start()
    try:
        send_email.send(**order())
        waits = """SELECT delayed, message #>> '{options,held_since}' IS NOT NULL AS held,
                   message #> '{options,retries}' AS tries FROM dramatiq.queue"""
        until(lambda: row(connection, waits) == {"delayed": True, "held": True, "tries": 0}, "it is held")
        two_hours_ago = (datetime.now(UTC) - 2 * HOUR).isoformat()
        change(
            f"""UPDATE dramatiq.queue SET message = jsonb_set(message, '{{options,held_since}}', '"{two_hours_ago}"')"""
        )
        change("SELECT balansity.provider_worked('file', 'a worker')")
        until(lambda: ledger(connection)["postponed_until"] is not None, "it waits for the morning")
        until(lambda: row(connection, waits) == {"delayed": True, "held": True, "tries": 0}, "as it was held before")
        at_night.setenv("EMAIL_NIGHT", "")
        settings.current.cache_clear()
        change("UPDATE dramatiq.queue SET delayed = false, available_at = now()")
        until(lambda: ledger(connection)["state"] == "sent", "it leaves")
    finally:
        worker.stop()
        availability.seen.clear()
