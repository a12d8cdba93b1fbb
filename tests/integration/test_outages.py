"""A provider that is away costs nobody a try: one message at a time asks, and once it answers everything goes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

import settings
from actors.emails import send_email
from actors.payments import process_payment
from broker import broker
from commands.doctor import doctor
from db.connection import Connection
from gateways import availability
from tests.clinic import Clinic
from tests.integration.report_cases import completed_checkup, kept
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
    for words in ("sendgrid is away since", f"messages held: {MAILS}", "grant is revoked"):
        assert words in told

    provider.scripted.clear()
    ask(connection, PROBE_NOW)
    ask(connection, LOOK_NOW)
    ask(connection, "SELECT dramatiq.ring(ARRAY['emails'])")
    until(lambda: ask(connection, "SELECT DISTINCT state FROM balansity.delivery") == [("sent",)], "all are sent")
    assert (state(connection), held(connection), len(set(provider.deliveries()))) == ("available", 0, MAILS)


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
    until(lambda: state(connection) == "available", "and YooKassa is back")


@pytest.mark.usefixtures("others")
def test_a_report_waits_for_its_storage_without_a_try(
    clinic: Clinic, user: str, connection: Connection, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "reports").touch()  # a file where the folder should be
    environment.setenv("REPORT_STORAGE_URL", f"file://{tmp_path}/reports")
    settings.current.cache_clear()
    checkup = completed_checkup(clinic, user)  # which asks for its report
    until(lambda: retries(connection) == [(0,)], "it is held without a try")
    assert state(connection) == "away"
    (tmp_path / "reports").unlink()
    probe(connection)
    until(lambda: kept(clinic, checkup), "the report is kept")
    until(lambda: state(connection) == "available", "and the storage is back")
    query = "SELECT message #>> '{options,held_since}' IS NOT NULL FROM dramatiq.queue WHERE queue_name = 'emails'"
    assert holds(connection, query), "its mail knows what an outage has delayed"


def test_a_message_that_seems_to_begin_every_outage_spends_tries_again(
    shop: YooKassa, others: None, clinic: Clinic, user: str, connection: Connection
) -> None:
    shop.answers.append(500)
    message = process_payment.message(
        payment_id=clinic.add_payment(user, external_payment_id=shop.add_payment()), action="verify"
    )
    begun = "INSERT INTO balansity.outage SELECT 'yookassa', now(), now(), '%s' FROM generate_series(1, 20)"
    ask(connection, begun % message.message_id)
    broker.enqueue(message)
    until(lambda: retries(connection) == [(1,)], "the next one is a try")
    assert held(connection) == 0


@pytest.fixture
def unwritable(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Mail goes to a folder that a file stands in the way of."""
    (tmp_path / "in-the-way").touch()
    environment.setenv("EMAIL_OUTBOX_DIR", str(tmp_path / "in-the-way" / "outbox"))
    settings.current.cache_clear()
    availability.seen.clear()
    worker = dramatiq.Worker(broker, queues={"emails"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield tmp_path / "in-the-way"
    worker.stop()
    availability.seen.clear()


def test_mails_wait_for_an_outbox_that_cannot_be_written(unwritable: Path, connection: Connection) -> None:
    send(1)
    until(lambda: retries(connection) == [(0,)], "it is held without a try")
    assert state(connection) == "away"
    unwritable.unlink()
    for statement in (PROBE_NOW, LOOK_NOW, "SELECT dramatiq.ring(ARRAY['emails'])"):
        ask(connection, statement)
    until(lambda: ask(connection, "SELECT state FROM balansity.delivery") == [("sent",)], "it is written")


def test_a_provider_that_answers_nothing_three_times_in_a_row_is_away(
    worker: dramatiq.Worker, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted += [Reply(0), Reply(0), Reply(202), Reply(0), Reply(0), Reply(0)]
    for number, (is_away, silences) in enumerate(
        [(False, 1), (False, 2), (False, 0), (False, 1), (False, 2), (True, 0)]
    ):
        availability.seen.clear()
        send(number)
        query = f"SELECT count(*) = {number + 1} FROM balansity.delivery WHERE state IN ('sent', 'unknown')"
        until(partial(holds, connection, query), "the call is over")
        query = f"SELECT (state <> 'available', silences) = ({is_away}, {silences}) FROM balansity.provider_state"
        until(partial(holds, connection, query), "and noted")
    send(7)
    until(lambda: held(connection) == 1, "the next mail is held")


def holds(conn: Connection, query: str) -> bool:
    return ask(conn, query) == [(True,)]
