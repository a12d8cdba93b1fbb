"""Mail when workers and connections die at the worst moment: from the call to the provider to the message's ack."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import settings
from db.connection import Connection
from tests.faults.crew import IMPATIENCE, SILENCE_SECONDS
from tests.integration import mail_cases as cases
from tests.servers import sendgrid as server
from tests.servers import smtp as smtp_server
from tests.servers.sendgrid import Reply, SendGrid
from tests.servers.smtp import Mailbox
from tests.waiting import until

PATIENCE_SECONDS = 40  # a dead worker's messages are rescued within 20 s


@pytest.fixture
def provider(database: str) -> Iterator[SendGrid]:
    """A SendGrid that takes requests and answers only once `hold` is set."""
    with server.running() as running:
        running.hold = threading.Event()
        yield running


@pytest.fixture
def mailbox(database: str) -> Iterator[Mailbox]:
    """An SMTP server that takes mails and answers only once `hold` is set."""
    with smtp_server.running() as running:
        running.hold = threading.Event()
        yield running


Starter = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def worker(database: str, provider: SendGrid) -> Iterator[Starter]:
    """Starts worker processes that send through the provider, and kills them after the test."""
    environment = os.environ | {
        "DATABASE_URL": database,
        "SILENCE_SECONDS": SILENCE_SECONDS,
        "EMAIL_PROVIDER": "sendgrid",
        "SENDGRID_API_KEY": server.KEY,
        "SENDGRID_API_URL": provider.url,
    }
    command = [sys.executable, "-m", "dramatiq", IMPATIENCE, "actors", "--processes", "1", "--threads", "2"]
    command += ["--queues", "emails"]
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env=environment | more, cwd=settings.ROOT, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        end(process, signal.SIGKILL)


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Signal a worker and its children; wait for the dead."""
    if process.poll() is None:
        os.killpg(process.pid, how)
    if how == signal.SIGKILL:
        process.wait()


def send(conn: Connection, template: str, variables: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute("SELECT public.queue_email_task('anna@example.com', 'Тема', %s, %s)", (template, variables))


def send_receipt(conn: Connection) -> None:
    send(conn, "payment_confirmation", '{"amount": 5000}')


def wait_until(conn: Connection, query: str) -> None:
    until(lambda: next(iter(cases.row(conn, query).values())), query)


def delivery(conn: Connection) -> dict[str, Any]:
    return cases.row(conn, "SELECT id::text, state, attempts FROM balansity.delivery")


DONE = "SELECT coalesce(bool_and(state = 'done'), false) FROM dramatiq.queue"


def wait_until_blocked(conn: Connection, function: str) -> None:
    """Wait until a worker's call of a function waits for a lock."""
    wait_until(
        conn,
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        f"AND strpos(query, '{function}') > 0",
    )


def kill(process: subprocess.Popen[bytes], conn: Connection) -> None:
    """Kill a worker in the middle of a statement: nothing of that statement remains."""
    end(process, signal.SIGKILL)
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )


@contextmanager
def locked(conn: Connection, query: str) -> Iterator[None]:
    """Rows that nobody else can change meanwhile."""
    conn.autocommit = False
    with conn, conn.cursor() as cursor:
        cursor.execute(query + " FOR UPDATE")
        yield


@contextmanager
def answers_held(provider: SendGrid | Mailbox) -> Iterator[threading.Event]:
    """The provider has a request in hand and has not answered it."""
    assert provider.hold
    assert provider.arrived.acquire(timeout=PATIENCE_SECONDS)
    yield provider.hold


def test_a_receipt_whose_worker_was_killed_before_the_answer_is_never_sent_twice(
    worker: Starter, provider: SendGrid, connection: Connection
) -> None:
    send_receipt(connection)
    first = worker()
    with answers_held(provider) as hold:
        end(first, signal.SIGKILL)
        hold.set()  # the answer goes to nobody
    worker()
    wait_until(connection, DONE)
    assert provider.deliveries() == [delivery(connection)["id"]]
    assert (delivery(connection)["state"], delivery(connection)["attempts"]) == ("unknown", 1)


def test_a_report_mail_whose_worker_was_killed_waits_for_news_before_it_is_sent_again(
    worker: Starter, provider: SendGrid, connection: Connection
) -> None:
    send(connection, "report_ready", '{"name": "Анна"}')
    first = worker()
    with answers_held(provider):
        end(first, signal.SIGKILL)
    worker()
    wait_until(connection, "SELECT state = 'unknown' FROM balansity.delivery")
    wait_until(
        connection,
        "SELECT state = 'queued' AND available_at BETWEEN now() + interval '25 min' AND now() + interval '31 min' "
        "FROM dramatiq.queue",
    )
    assert len(provider.accepted) == 1


def test_a_mail_whose_worker_was_killed_before_the_ledger_heard_of_its_acceptance_is_not_sent_twice(
    worker: Starter, provider: SendGrid, connection: Connection, connect: Callable[[], Connection]
) -> None:
    send_receipt(connection)
    first = worker()
    with answers_held(provider) as hold, locked(connect(), "SELECT FROM balansity.delivery"):
        hold.set()
        wait_until_blocked(connection, "balansity.finish_attempt")
        kill(first, connection)
    worker()
    wait_until(connection, DONE)
    assert provider.deliveries() == [delivery(connection)["id"]]
    assert (delivery(connection)["state"], delivery(connection)["attempts"]) == ("unknown", 1)


def test_a_mail_whose_worker_was_killed_between_the_ledger_and_the_ack_is_not_sent_twice(
    worker: Starter, provider: SendGrid, connection: Connection, connect: Callable[[], Connection]
) -> None:
    send(connection, "report_ready", '{"name": "Анна"}')
    first = worker()
    with answers_held(provider) as hold, locked(connect(), "SELECT FROM dramatiq.queue"):
        hold.set()
        wait_until_blocked(connection, "dramatiq.exchange")
        kill(first, connection)
        assert delivery(connection)["state"] == "sent"
    worker()
    wait_until(connection, DONE)
    assert cases.row(connection, "SELECT attempt, rescues FROM dramatiq.queue") == {"attempt": 2, "rescues": 1}
    assert provider.deliveries() == [delivery(connection)["id"]]
    assert (delivery(connection)["state"], delivery(connection)["attempts"]) == ("sent", 1)


def test_a_mail_whose_worker_was_killed_between_smtps_data_and_its_answer_is_not_sent_twice(
    worker: Starter, mailbox: Mailbox, connection: Connection
) -> None:
    smtp = {"EMAIL_PROVIDER": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailbox.port), "SMTP_TLS": "off"}
    send_receipt(connection)
    first = worker(**smtp)
    with answers_held(mailbox) as hold:
        end(first, signal.SIGKILL)
        hold.set()
    worker(**smtp)
    wait_until(connection, DONE)
    assert len(mailbox.accepted) == 1
    assert (delivery(connection)["state"], delivery(connection)["attempts"]) == ("unknown", 1)


def test_a_worker_that_was_frozen_during_the_call_still_delivers_the_answer(
    worker: Starter, provider: SendGrid, connection: Connection
) -> None:
    send_receipt(connection)
    first = worker()
    with answers_held(provider) as hold:
        end(first, signal.SIGSTOP)
        worker()
        wait_until(connection, "SELECT state = 'unknown' FROM balansity.delivery")
        hold.set()
        end(first, signal.SIGCONT)
    wait_until(connection, "SELECT state = 'sent' FROM balansity.delivery")
    assert provider.deliveries() == [delivery(connection)["id"]]
    assert delivery(connection)["attempts"] == 1


def test_a_mail_that_was_refused_for_now_while_its_worker_was_taken_for_dead_is_tried_again(
    worker: Starter, provider: SendGrid, connection: Connection
) -> None:
    provider.scripted.append(Reply(503))
    send_receipt(connection)
    first = worker()
    with answers_held(provider) as hold:
        end(first, signal.SIGSTOP)
        worker()
        wait_until(connection, "SELECT state = 'unknown' FROM balansity.delivery")
        wait_until(connection, DONE)
        hold.set()
        end(first, signal.SIGCONT)
    wait_until(connection, "SELECT state = 'sent' FROM balansity.delivery")
    assert provider.deliveries() == [delivery(connection)["id"]]
    assert delivery(connection)["attempts"] == 2


def test_an_answer_is_recorded_although_every_connection_was_cut_meanwhile(
    worker: Starter, provider: SendGrid, connection: Connection
) -> None:
    send_receipt(connection)
    worker()
    with answers_held(provider) as hold:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        hold.set()
    wait_until(connection, DONE)
    assert provider.deliveries() == [delivery(connection)["id"]]
    assert (delivery(connection)["state"], delivery(connection)["attempts"]) == ("sent", 1)
