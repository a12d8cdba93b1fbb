"""Waiting for what other threads and processes do: by looking, until a deadline."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.01
# Of pg_locks; in this database alone, for other tests have clones of it on the same server, with the same oids.
WAITS_HERE = "NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"


def until(
    condition: Callable[[], Any], what: str = "what the test waits for", seconds: float = PATIENCE_SECONDS
) -> float:
    """Wait until `condition` holds; returns how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"{what}: not so after {seconds} s"
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began
