"""All workers together keep to the provider's limit, and a provider that asks for a pause gets it from everyone."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from subprocess import PIPE, Popen

import pytest
from dramatiq.errors import Retry

import db.connection
import settings
from db import queries
from db.connection import Connection
from db.database import pool
from errors import ProviderBusy
from mail import pace
from mail.delivery import deliver
from mail.order import read_order
from tests.clinic import Clinic
from tests.servers.sendgrid import Reply, SendGrid

NOW = datetime(2026, 11, 25, 7, 35, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LIMIT = 40  # mails a second
STOCK_SECONDS = 0.5


@pytest.fixture
def provider(provider: SendGrid, environment: pytest.MonkeyPatch) -> SendGrid:
    environment.setenv("EMAIL_RATE_LIMIT", str(LIMIT))
    settings.current.cache_clear()
    return provider


def take(conn: Connection, places: int = 1, patience: timedelta = 10 * SECOND) -> timedelta:
    wait: timedelta = queries.pace.take_places(
        conn, provider="sendgrid", places=places, spacing=SECOND, patience=patience
    )
    return wait


def test_places_follow_each_other_at_the_limits_distance(connection: Connection) -> None:
    clinic = Clinic(connection)
    clinic.set_clock(NOW)
    assert [take(connection) for _ in range(3)] == [0 * SECOND, 1 * SECOND, 2 * SECOND]
    clinic.set_clock(NOW + 10 * SECOND)
    assert take(connection) == 0 * SECOND


def test_a_handful_of_places_is_a_handful_further_for_the_next(connection: Connection) -> None:
    Clinic(connection).set_clock(NOW)
    assert take(connection, places=5) == 0 * SECOND
    assert take(connection) == 5 * SECOND


def test_a_place_beyond_patience_is_not_taken(connection: Connection) -> None:
    Clinic(connection).set_clock(NOW)
    take(connection, places=20)
    assert [take(connection) for _ in range(2)] == [20 * SECOND, 20 * SECOND]


def test_two_workers_never_take_the_same_place(connection: Connection, database: str) -> None:
    def take_ten(_: int) -> list[timedelta]:
        with db.database.single_statements() as conn:
            return [take(conn, patience=100 * SECOND) for _ in range(10)]

    Clinic(connection).set_clock(NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database)
        settings.current.cache_clear()
        with ThreadPoolExecutor(4) as threads:
            waits = [wait for waits in threads.map(take_ten, range(4)) for wait in waits]
        pool.closeall()
        settings.current.cache_clear()
    assert sorted(waits) == [number * SECOND for number in range(40)]


def test_a_pause_ends_by_the_databases_clock(connection: Connection, environment: pytest.MonkeyPatch) -> None:
    Clinic(connection).set_clock(NOW)
    pace.hold("sendgrid", 60)
    with connection.cursor() as cursor:
        cursor.execute("SELECT free_at FROM balansity.mail_pace")
        assert cursor.fetchall() == [(NOW + 60 * SECOND,)]


WORKER = f"""
import sys, time
from errors import ProviderBusy
from mail import pace

pace.STOCK_SECONDS = {STOCK_SECONDS}
for line in sys.stdin:
    try:
        for _ in range(int(line)):
            pace.keep("sendgrid")
        print(time.time(), flush=True)
    except ProviderBusy:
        print("busy", flush=True)
"""


class Sender:
    """Another process that keeps to the pace."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", WORKER]
        self.process = Popen(command, cwd=settings.ROOT, stdin=PIPE, stdout=PIPE, text=True)

    def ask(self, mails: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{mails}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """When the last of the mails had its turn, as a Unix time, or `busy`."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@pytest.fixture
def workers(provider: SendGrid) -> Iterator[list[Sender]]:
    """Two that have taken places for half a second, used one each, and been idle since."""
    workers = [Sender(), Sender()]
    for worker in workers:
        worker.ask(mails=1)
    for worker in workers:
        assert float(worker.answer())
    time.sleep(2 * STOCK_SECONDS + 0.1)
    yield workers
    for worker in workers:
        worker.process.communicate(timeout=20)


def test_a_burst_of_two_workers_leaves_at_the_limit(workers: list[Sender]) -> None:
    started = time.time()
    for worker in workers:
        worker.ask(mails=20)
    assert max(float(worker.answer()) for worker in workers) - started >= 39 / LIMIT - 0.01


def test_a_provider_that_asks_for_a_pause_gets_it_from_everyone(
    provider: SendGrid, connection: Connection, workers: list[Sender]
) -> None:
    order = {"to": "anna@example.com", "subject": "Тема", "template": "report_ready", "variables": {"name": "Анна"}}
    provider.scripted.append(Reply(429, headers={"X-RateLimit-Reset": str(int(time.time()) + 60)}))
    for message_id in ("m1", "m2"):
        with pytest.raises(Retry) as again:
            deliver(read_order(order), message_id)
        assert again.value.delay == pytest.approx(60_000, abs=2_000)
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, attempts, left(reason, 21) FROM balansity.delivery ORDER BY message_id")
        assert cursor.fetchall() == [("planned", 1, "SendGrid answered 429"), ("planned", 0, None)]
    with pytest.raises(ProviderBusy):
        pace.keep("sendgrid")
    for worker in workers:
        worker.ask(mails=1)
        assert worker.answer() == "busy"
