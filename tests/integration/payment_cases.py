"""What the tests of payments share: a shop at the provider, and a broker's patience."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import settings
from actors.payments import process_payment
from errors import RetryableError
from tests.servers import yookassa
from tests.servers.yookassa import YooKassa

PATIENCE_SECONDS = 60


@contextmanager
def shop(environment: pytest.MonkeyPatch) -> Iterator[YooKassa]:
    """A provider that our settings name."""
    with yookassa.running() as provider:
        environment.setenv("YOOKASSA_API_URL", provider.url)
        environment.setenv("YOOKASSA_SHOP_ID", yookassa.SHOP_ID)
        environment.setenv("YOOKASSA_SECRET_KEY", yookassa.SECRET_KEY)
        settings.current.cache_clear()
        yield provider


def deliver(payment: str, action: str) -> None:
    """Run the message, and again for as long as it asks for that: as the broker does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(RetryableError):
            process_payment(payment_id=payment, action=action)
            return
    pytest.fail("It asked to be run again for too long")
