"""What the tests of payments share: payments, and a broker's patience."""

import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from actors.payments import process_payment
from errors import RetryableError
from tests.clinic import Clinic

PATIENCE_SECONDS = 60
MINUTE = timedelta(minutes=1)
SCHEDULE = [*range(5, 60, 5), 60, 90, 135, 205, 310, 465, 700, 1050, 1575, 2365, 3550]  # minutes, looking every five


def deliver(payment: str, action: str) -> None:
    """Run the message, and again for as long as it asks for that: as the broker does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(RetryableError):
            process_payment(payment_id=payment, action=action)
            return
    pytest.fail("It asked to be run again for too long")


def payment_of(clinic: Clinic, external_id: str | None, status: str = "pending", metadata: Any = None) -> str:
    return clinic.add_payment(clinic.add_user(), metadata, status=status, external_payment_id=external_id)


def asked_about_until_given_up(clinic: Clinic, since: datetime) -> list[int]:
    """After how many minutes, in four days of looking every five."""
    asked = []
    for minutes in range(0, 4 * 24 * 60, 5):
        now = since + minutes * MINUTE
        if clinic.rows("SELECT balansity.claim_payment_checks(%s)", now):
            asked.append(minutes)
        clinic.rows("SELECT balansity.flag_stuck_payments(%s)", now)
    return asked
