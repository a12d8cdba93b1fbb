"""The pace of mail: one line for all workers, EMAIL_RATE_LIMIT mails a second."""

import time
from datetime import UTC, datetime, timedelta

import settings
from db import connection, queries
from errors import ProviderBusy

PATIENCE = timedelta(seconds=10)  # a longer wait is spent in the queue, not in a worker's thread

deliveries = queries.load("deliveries")


def keep() -> None:
    """Wait for this mail's turn.

    Raises:
        ProviderBusy: it is too far off.
    """
    current = settings.current()
    if current.email_provider == "file":
        return
    with connection.transaction() as conn:
        wait = deliveries.take_place(
            conn,
            provider=current.email_provider,
            spacing=timedelta(seconds=1 / current.email_rate_limit),
            patience=PATIENCE,
            at=datetime.now(UTC),
        )
    if wait > PATIENCE:
        raise ProviderBusy("The provider's limit is used up", wait.total_seconds())
    time.sleep(wait.total_seconds())


def hold(seconds: float) -> None:
    """Let nobody send for so long: the provider has asked for it."""
    with connection.transaction() as conn:
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        deliveries.hold_mail(conn, provider=settings.current().email_provider, until=until)
