"""What a worker alone knows of a mail outlives the database's absence, of whatever kind and however long."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from dramatiq import Message

import settings
from db.migrate import migrate
from tests.faults import trouble
from tests.faults.crew import Office
from tests.integration.ledger_cases import order, outbox
from tests.integration.ledger_cases import send as deliver
from tests.servers import own_postgres
from tests.servers import sendgrid as provider_server
from tests.servers.own_postgres import OwnServer
from tests.servers.sendgrid import Reply, SendGrid
from tests.waiting import until

MAILS = 4
TIME_LIMIT_MILLISECONDS = 8_000  # of the messages, so that the absence outlasts it
BUSY = Reply(503, {"errors": [{"message": "down for repairs", "field": None}]})


@pytest.fixture(scope="module")
def own_server() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        migrate(server.url)
        yield server


@pytest.fixture
def office(own_server: OwnServer, tmp_path: Path) -> Iterator[Office]:
    office = Office(own_server.url, tmp_path)
    office.query("TRUNCATE dramatiq.queue, dramatiq.worker, balansity.delivery CASCADE")
    yield office
    office.broker.close()


@contextmanager
def mails_in_hand(office: Office, *answers: Reply) -> Iterator[SendGrid]:
    """A SendGrid that has every mail of a running worker in hand, and answers once `hold` is set."""
    with provider_server.running() as provider:
        provider.hold = threading.Event()
        provider.scripted += answers
        environment = {
            "DATABASE_URL": office.url,
            "EMAIL_PROVIDER": "sendgrid",
            "SENDGRID_API_KEY": provider_server.KEY,
            "SENDGRID_API_URL": provider.url,
            "BROKER_LISTEN": "off",  # sessions are as the server sets them, as behind a pooler
        }
        command = [sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--queues", "emails", "--threads"]
        with office.log.open("ab") as log:
            worker = subprocess.Popen(
                [*command, str(MAILS)],
                env=os.environ | environment,
                cwd=settings.ROOT,
                stderr=log,
                start_new_session=True,
            )
        try:
            office.broker.enqueue_many([receipt() for _ in range(MAILS)])
            for _ in range(MAILS):
                assert provider.arrived.acquire(timeout=40)
            yield provider
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def receipt() -> Message[Any]:
    mail = {"to": "anna@example.com", "subject": "Тема", "template": "payment_confirmation", "variables": {"amount": 1}}
    options = {"time_limit": TIME_LIMIT_MILLISECONDS}
    return Message(queue_name="emails", actor_name="send_email", args=(), kwargs=mail, options=options)


Absence = Callable[[OwnServer], AbstractContextManager[None]]
ABSENCES: dict[str, Absence] = {"stopped": OwnServer.away, "read-only": trouble.read_only}


@pytest.mark.parametrize(
    ("absence", "answers"),
    [
        ("stopped", []),
        pytest.param("read-only", [], marks=pytest.mark.heavy),
        pytest.param("stopped", [BUSY] * MAILS, marks=pytest.mark.heavy),
    ],
)
def test_answers_are_kept_until_they_are_written(
    own_server: OwnServer, office: Office, absence: str, answers: list[Reply]
) -> None:
    with mails_in_hand(office, *answers) as provider:
        assert provider.hold
        with ABSENCES[absence](own_server):
            provider.hold.set()
            until(lambda: office.logged().count("ledger_write_outlasts_its_message") == MAILS, "each is past its limit")
        tries = 2 if answers else 1
        sent_once = [("sent", tries)] * MAILS
        until(lambda: office.query("SELECT state, attempts FROM balansity.delivery") == sent_once, "all are written")
        until(lambda: office.states() == {"done": MAILS}, "and over")
        assert len(set(provider.deliveries())) == len(provider.deliveries()) == MAILS
    assert "unknown" not in office.logged()


def test_an_attempt_that_began_as_the_connection_was_lost_was_none(
    own_server: OwnServer, office: Office, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("DATABASE_URL", own_server.url)
    settings.current.cache_clear()
    message_id = str(uuid4())
    with ThreadPoolExecutor(1) as thread:
        with trouble.commits_stalled(own_server):
            first = thread.submit(deliver, order("payment_confirmation", variables={"amount": 1}), message_id)
            until(lambda: office.query(CUT_OFF, "COMMIT") == [(True,)], "it is committed, and nobody hears")
        assert isinstance(first.exception(), psycopg2.Error)
    assert office.query("SELECT state, attempts FROM balansity.delivery") == [("planned", 1)]
    deliver(order("payment_confirmation", variables={"amount": 1}), message_id)
    assert office.query("SELECT state, attempts FROM balansity.delivery") == [("sent", 2)]
    assert len(outbox()) == 1


CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE %s
"""
