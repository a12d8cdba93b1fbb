"""A user of the site, its shop at YooKassa, its SendGrid, and brokers with workers in the test's own process."""

from collections.abc import Callable, Iterator

import dramatiq
import pytest

import settings
from broker import broker as application
from db.connection import Connection
from db.database import pool
from gateways import availability
from mail import pace
from messaging.broker import PostgresBroker
from tests.clinic import Clinic
from tests.integration.broker_cases import run
from tests.integration.line_cases import QUEUE, Hands
from tests.servers import sendgrid, yookassa
from tests.servers.sendgrid import SendGrid
from tests.servers.yookassa import YooKassa


@pytest.fixture
def user(clinic: Clinic) -> str:
    return clinic.add_user()


@pytest.fixture
def shop(environment: pytest.MonkeyPatch) -> Iterator[YooKassa]:
    """A shop at a provider that our settings name."""
    with yookassa.running() as provider:
        environment.setenv("YOOKASSA_API_URL", provider.url)
        environment.setenv("YOOKASSA_SHOP_ID", yookassa.SHOP_ID)
        environment.setenv("YOOKASSA_SECRET_KEY", yookassa.SECRET_KEY)
        settings.current.cache_clear()
        yield provider


@pytest.fixture
def provider(environment: pytest.MonkeyPatch) -> Iterator[SendGrid]:
    """A SendGrid that our settings name."""
    with sendgrid.running() as running:
        environment.setenv("EMAIL_PROVIDER", "sendgrid")
        environment.setenv("SENDGRID_API_KEY", sendgrid.KEY)
        environment.setenv("SENDGRID_API_URL", running.url)
        settings.current.cache_clear()
        pace.stock.clear()
        availability.seen.clear()
        yield running
        pace.stock.clear()
        availability.seen.clear()


@pytest.fixture
def worker(provider: SendGrid) -> Iterator[dramatiq.Worker]:
    """A worker of the application's mails in this process."""
    worker = dramatiq.Worker(application, queues={"emails"}, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    application.close()


@pytest.fixture
def broker(environment: pytest.MonkeyPatch) -> Iterator[PostgresBroker]:
    broker = PostgresBroker(pool)
    yield broker
    broker.close()


@pytest.fixture
def work(broker: PostgresBroker) -> Iterator[Callable[..., dramatiq.Worker]]:
    """Starts a worker in this process and stops it after the test."""
    workers: list[dramatiq.Worker] = []

    def start(threads: int = 4) -> dramatiq.Worker:
        worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=threads)
        worker.start()
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()


@pytest.fixture
def held(connect: Callable[[], Connection]) -> None:
    """Somebody's transaction that still sees everything as it is now, as a backup's does."""
    conn = connect()
    run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    run(conn, "SELECT 1")


@pytest.fixture
def hands(broker: PostgresBroker, connection: Connection) -> Hands:
    """A worker of a queue with an actor that bakes."""
    dramatiq.actor(broker=broker, actor_name="bake", queue_name=QUEUE)(lambda loaf: loaf)
    broker.publish_actors(connection, retire=True)
    return Hands(connection)
