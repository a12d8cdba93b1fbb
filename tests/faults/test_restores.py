"""A real dump, restored elsewhere after its mails have left: no family hears anything twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner
from psycopg2.extras import NamedTupleCursor

import settings
from cli import main
from db import embedded
from db.connection import Connection
from db.database import pool
from tests.faults.crew import IMPATIENCE, SILENCE_SECONDS
from tests.servers import sendgrid as server
from tests.servers import shared_postgres
from tests.servers.sendgrid import SendGrid
from tests.waiting import until

RECEIPT = (
    """{"to": "anna@example.com", "subject": "Тема", "template": "payment_confirmation", "variables": {"amount": %d}}"""
)
STATES = """
    SELECT coalesce(jsonb_object_agg(state, count), '{}')
    FROM (SELECT state, count(*) FROM balansity.delivery GROUP BY state) AS counted
"""


@pytest.fixture
def provider() -> Iterator[SendGrid]:
    with server.running() as running:
        yield running


@pytest.fixture
def second_database(server: str) -> Iterator[str]:
    with shared_postgres.database(server, "template0") as url:
        yield url


@pytest.fixture
def work(provider: SendGrid) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a worker process on a database; whatever is left of it after the test is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "DATABASE_URL": url,
            "SILENCE_SECONDS": SILENCE_SECONDS,
            "EMAIL_PROVIDER": "sendgrid",
            "SENDGRID_API_KEY": server.KEY,
            "SENDGRID_API_URL": provider.url,
        }
        command = [sys.executable, "-m", "dramatiq", IMPATIENCE, "actors", "--processes", "1", "--threads", "2"]
        started.append(subprocess.Popen(command, env=environment, cwd=settings.ROOT, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(program: str, *arguments: str | Path) -> None:
    subprocess.run([embedded.binaries() / program, *arguments], check=True)


def open_(url: str) -> Connection:
    conn = psycopg2.connect(url, cursor_factory=NamedTupleCursor)
    conn.autocommit = True
    return conn


def value(conn: Connection, query: str) -> object:
    with conn.cursor() as cursor:
        cursor.execute(query)
        found = cursor.fetchone()
        assert found
        return found[0]


def test_what_was_due_when_a_dump_was_taken_is_held_and_what_is_due_later_goes(
    second_database: str,
    provider: SendGrid,
    work: Callable[[str], subprocess.Popen[bytes]],
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    database = os.environ["DATABASE_URL"]
    CliRunner().invoke(main, ["migrate"], catch_exceptions=False)
    first = open_(database)
    with first.cursor() as cursor:
        for number in range(3):
            cursor.execute("SELECT pgmq.send('email_queue', %s)", (RECEIPT % (number + 1),))
        for number in (3, 4):
            cursor.execute("SELECT dramatiq.send('send_email', %s)", (RECEIPT % (number + 1),))
        cursor.execute("SELECT dramatiq.send('send_email', %s, delay => '1 day')", (RECEIPT % 1000,))
        cursor.execute("SELECT pgmq.send('email_queue', %s, 86400)", (RECEIPT % 1001,))
    run("pg_dump", "--format=custom", "--file", tmp_path / "dump", database)

    worker = work(database)
    until(lambda: value(first, STATES) == {"sent": 5}, "the five leave")
    kill(worker)
    first.close()
    told = [mail["headers"]["Message-ID"] for mail in provider.accepted]
    assert len(set(told)) == 5

    run("pg_restore", "--dbname", second_database, tmp_path / "dump")
    second = open_(second_database)
    work(second_database)
    until(lambda: value(second, STATES) == {"unknown": 5}, "the five are held")
    with second.cursor() as cursor:  # a day later
        cursor.execute("UPDATE pgmq.q_email_queue SET vt = clock_timestamp()")
        cursor.execute("UPDATE dramatiq.queue SET available_at = clock_timestamp() WHERE state = 'queued'")
    until(lambda: value(second, STATES) == {"unknown": 5, "sent": 2}, "what is due later goes")
    assert len(provider.accepted) == 7

    environment.setenv("DATABASE_URL", second_database)
    settings.current.cache_clear()
    pool.closeall()
    diagnosis = CliRunner().invoke(main, ["doctor"])
    assert "held, for they may have left before: 5" in diagnosis.output
    assert diagnosis.exit_code == 1
    assert "5 mails are on their way" in CliRunner().invoke(main, ["restored", "--resend", "--reason", "a test"]).output
    until(lambda: value(second, STATES) == {"sent": 7}, "a person let them go")
    assert sorted(mail["headers"]["Message-ID"] for mail in provider.accepted[7:]) == sorted(told)
    assert "Mails held after a restore: none" in CliRunner().invoke(main, ["doctor"]).output
    second.close()
