"""Waiting for what other threads and processes do: by looking, until a deadline."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.01


def until(
    condition: Callable[[], Any], what: str = "what the test waits for", seconds: float = PATIENCE_SECONDS
) -> float:
    """Wait until `condition` holds; returns how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"{what}: not so after {seconds} s"
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began
