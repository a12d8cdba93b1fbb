"""Sends at an even pace."""

import time
from collections.abc import Callable
from typing import Any


def at_pace(count: int, per_second: int, send: Callable[[], Any]) -> None:
    """Send at fixed times, so that a slow send does not thin the others out."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        send()
