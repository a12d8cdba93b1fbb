"""A server that takes no writes for a while, as in a failover or on a full disk, costs no mail and no message."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import settings
from db.connection import Connection, connect
from db.migrate import migrate
from tests.faults import trouble
from tests.faults.crew import IMPATIENCE, SILENCE_SECONDS
from tests.servers import own_postgres
from tests.servers import sendgrid as provider_server
from tests.servers.own_postgres import OwnServer
from tests.servers.sendgrid import SendGrid
from tests.waiting import until

MAILS = 4
PATIENCE_SECONDS = 60


@pytest.fixture
def provider() -> Iterator[SendGrid]:
    """A SendGrid that takes requests and answers only once `hold` is set."""
    with provider_server.running() as running:
        running.hold = threading.Event()
        yield running


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """A server with a migrated database, which may refuse writes."""
    with own_postgres.running() as server:
        migrate(server.url)
        yield server


@contextmanager
def working(database: str, provider: SendGrid, log: Path) -> Iterator[None]:
    environment = os.environ | {
        "DATABASE_URL": database,
        "SILENCE_SECONDS": SILENCE_SECONDS,
        "EMAIL_PROVIDER": "sendgrid",
        "SENDGRID_API_KEY": provider_server.KEY,
        "SENDGRID_API_URL": provider.url,
    }
    command = [sys.executable, "-m", "dramatiq", IMPATIENCE, "actors", "--processes", "1", "--threads", str(MAILS)]
    with log.open("wb") as stderr:
        worker = subprocess.Popen(command, env=environment, cwd=settings.ROOT, stderr=stderr, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def values(conn: Connection, statement: str) -> list[str]:
    with conn.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


def order(conn: Connection, *names: str) -> None:
    for name in names:
        statement = "SELECT public.queue_email_task(%s, 'Тема', 'payment_confirmation', '{\"amount\": 5000}')"
        with conn.cursor() as cursor:
            cursor.execute(statement, (f"{name}@example.com",))


def test_mails_in_hand_are_sent_once_and_later_ones_start(
    own_server: OwnServer, provider: SendGrid, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with closing(connect(own_server.url, start_options=False)) as conn, working(own_server.url, provider, log):
        conn.autocommit = True
        until(lambda: values(conn, "SELECT id::text FROM dramatiq.worker"), seconds=PATIENCE_SECONDS)
        order(conn, "anna", "boris", "vera", "gleb")
        assert provider.hold
        for _ in range(MAILS):
            assert provider.arrived.acquire(timeout=PATIENCE_SECONDS)
        with trouble.read_only(own_server):
            provider.hold.set()
            until(lambda: log.read_text().count("ledger_not_written") >= 2 * MAILS, seconds=PATIENCE_SECONDS)
            values(conn, "SET default_transaction_read_only = off")  # the site's session finds a way, as if promoted
            order(conn, "dina", "egor", "zoya", "igor")
        sent = "SELECT id::text FROM balansity.delivery WHERE state = 'sent' AND attempts = 1"
        until(lambda: len(values(conn, sent)) == 2 * MAILS, seconds=PATIENCE_SECONDS)
        until(lambda: set(values(conn, "SELECT state::text FROM dramatiq.queue")) == {"done"}, seconds=PATIENCE_SECONDS)
    assert len(provider.deliveries()) == len(set(provider.deliveries())) == 2 * MAILS
