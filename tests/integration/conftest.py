"""A user of the site, its shop at YooKassa, and a broker with workers in the test's own process."""

from collections.abc import Callable, Iterator

import dramatiq
import pytest

import settings
from db.database import pool
from messaging.broker import PostgresBroker
from tests.clinic import Clinic
from tests.servers import yookassa
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
