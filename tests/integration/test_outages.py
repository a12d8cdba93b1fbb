"""A provider that is away costs nobody a try: one message at a time asks, and once it answers everything goes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import dramatiq
import pytest
from click.testing import CliRunner

import settings
from actors.emails import send_email
from actors.payments import process_payment
from actors.reports import generate_report
from broker import broker
from commands.doctor import doctor
from db.connection import Connection
from gateways import availability
from mail import pace
from tests.clinic import Clinic
from tests.integration.report_cases import completed_checkup, kept
from tests.servers import sendgrid as server
from tests.servers.sendgrid import Reply, SendGrid
from tests.servers.yookassa import YooKassa
from tests.waiting import until

MAILS = 6
REFUSED = Reply(401, {"errors": [{"message": "The provided authorization grant is revoked", "field": None}]})
PROBE_NOW = "UPDATE balansity.provider_state SET next_probe_at = now() - interval '1 second'"
LOOK_NOW = """
    UPDATE dramatiq.queue SET delayed = false, available_at = now() WHERE message_id = (
        SELECT message_id FROM balansity.held_message ORDER BY deadline, message_id LIMIT 1
    )
"""


@pytest.fixture
def provider(environment: pytest.MonkeyPatch) -> Iterator[SendGrid]:
    with server.running() as running:
        environment.setenv("EMAIL_PROVIDER", "sendgrid")
        environment.setenv("SENDGRID_API_KEY", server.KEY)
        environment.setenv("SENDGRID_API_URL", running.url)
        settings.current.cache_clear()
        pace.stock.clear()
        availability.seen.clear()
        yield running
        pace.stock.clear()
        availability.seen.clear()


@pytest.fixture
def worker(provider: SendGrid) -> Iterator[dramatiq.Worker]:
    worker = dramatiq.Worker(broker, queues={"emails"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    broker.close()


def ask(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(query)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def send(number: int) -> None:
    variables = {"name": "Анна"}
    send_email.send(to=f"{number}@example.com", subject="Тема", template="report_ready", variables=variables)


def state(conn: Connection) -> str:
    found = ask(conn, "SELECT state FROM balansity.provider_state")
    return str(found[0][0]) if found else "never away"


def held(conn: Connection) -> int:
    query = "SELECT count(*) FROM balansity.held_message JOIN dramatiq.queue q USING (message_id) WHERE q.delayed"
    return int(ask(conn, query)[0][0])


def probed(conn: Connection, times: int) -> bool:
    return ask(conn, "SELECT probes FROM balansity.provider_state") >= [(times,)] and held(conn) == MAILS


def test_mails_wait_for_a_provider_that_is_away_and_all_go_when_a_probe_succeeds(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted += [REFUSED] * 1000
    for number in range(MAILS):
        send(number)
    until(lambda: held(connection) == MAILS, "all are held")
    for probe in range(1, 31):  # more than a mail has tries
        ask(connection, PROBE_NOW)
        ask(connection, LOOK_NOW)
        ask(connection, "SELECT dramatiq.ring(ARRAY['emails'])")
        until(partial(probed, connection, probe), "the probe fails, and its mail is held again")
    assert 1000 - len(provider.scripted) <= MAILS + 31 + 30, "each mail noticed at most once, and one at a time probed"
    assert ask(connection, "SELECT DISTINCT state FROM balansity.delivery") == [("planned",)]
    tries = "SELECT DISTINCT coalesce((message #>> '{options,retries}')::int, 0) FROM dramatiq.queue"
    assert ask(connection, tries) == [(0,)]
    told = CliRunner().invoke(doctor, env={"COLUMNS": "200"}).output
    for words in ("sendgrid since", f"{MAILS} messages held", "grant is revoked"):
        assert words in told

    provider.scripted.clear()
    ask(connection, PROBE_NOW)
    ask(connection, LOOK_NOW)
    ask(connection, "SELECT dramatiq.ring(ARRAY['emails'])")
    until(lambda: ask(connection, "SELECT DISTINCT state FROM balansity.delivery") == [("sent",)], "all are sent")
    assert (state(connection), held(connection), len(set(provider.deliveries()))) == ("available", 0, MAILS)


def test_what_was_held_goes_in_the_order_of_its_deadlines(undone: Connection) -> None:
    ask(undone, "SELECT balansity.provider_failed('smtp', 'down', 'a worker')")
    ids = {hours: str(uuid4()) for hours in (3, 1, None, 2)}
    for hours, message_id in ids.items():
        body = f'{{"message_id": "{message_id}", "queue_name": "emails"}}'
        deadline = f"now() + {hours} * interval '1 hour'" if hours else "NULL"
        ask(undone, f"SELECT dramatiq.enqueue('{body}', ARRAY[0], 86400000, NULL)")
        ask(undone, f"SELECT balansity.ask_for_provider('smtp', '{message_id}', {deadline})")
    ask(undone, "SELECT balansity.provider_worked('smtp', 'a worker')")
    due = ask(undone, "SELECT message_id::text FROM dramatiq.queue WHERE NOT delayed ORDER BY available_at")
    assert due == [(ids[hours],) for hours in (1, 2, 3, None)]


@pytest.fixture
def others(environment: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker of payments and reports; what is known of their providers is read anew."""
    availability.seen.clear()
    worker = dramatiq.Worker(broker, queues={"payments", "reports"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield
    worker.stop()
    availability.seen.clear()


def probe(conn: Connection) -> None:
    for statement in (PROBE_NOW, LOOK_NOW, "SELECT dramatiq.ring(ARRAY['payments', 'reports'])"):
        ask(conn, statement)


def retries(conn: Connection) -> list[tuple[Any, ...]]:
    return ask(conn, "SELECT coalesce((message #>> '{options,retries}')::int, 0) FROM dramatiq.queue WHERE delayed")


def test_a_payment_waits_for_yookassa_without_a_try(
    shop: YooKassa, others: None, clinic: Clinic, user: str, connection: Connection
) -> None:
    shop.answers += [503, 401, 503]
    payment = clinic.add_payment(user, external_payment_id=shop.add_payment())
    process_payment.send(payment_id=payment, action="verify")
    for failed in range(3):
        query = f"SELECT reason IS NOT NULL AND probes = {failed} FROM balansity.provider_state"
        until(partial(holds, connection, query), "it is held")
        until(lambda: retries(connection) == [(0,)], "without a try")
        probe(connection)
    until(lambda: clinic.payment_status(payment) == "completed", "the payment is taken on")
    assert state(connection) == "available"


@pytest.mark.usefixtures("others")
def test_a_report_waits_for_its_storage_without_a_try(
    clinic: Clinic, user: str, connection: Connection, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "reports").touch()  # a file where the folder should be
    environment.setenv("REPORT_STORAGE_URL", f"file://{tmp_path}/reports")
    settings.current.cache_clear()
    checkup = completed_checkup(clinic, user)
    generate_report.send(assessment_id=checkup, user_id=user)
    until(lambda: retries(connection) == [(0,)], "it is held without a try")
    assert state(connection) == "away"
    (tmp_path / "reports").unlink()
    probe(connection)
    until(lambda: kept(clinic, checkup), "the report is kept")
    until(lambda: state(connection) == "available", "and the storage is back")


def holds(conn: Connection, query: str) -> bool:
    return ask(conn, query) == [(True,)]
