"""Rate limiters and barriers that all workers share, in PostgreSQL: `ConcurrentRateLimiter(backend, …)`."""

import math
import time
from collections.abc import Callable
from typing import Any

from dramatiq.rate_limits import RateLimiterBackend

from db import queries
from db.connection import Pool

POLL_SECONDS = (0.005, 0.1)  # between looks whether a barrier has been reached: twice as long each time


class PostgresLimits(RateLimiterBackend):
    """Dramatiq's rate limiter backend on `dramatiq.counter`; all durations are in milliseconds."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def add(self, key: str, value: int, ttl: int) -> bool:
        return self._call("add", key=key, value=value, ttl=ttl)

    def incr(self, key: str, amount: int, maximum: int, ttl: int) -> bool:
        return self._call("count", key=key, amount=amount, low=None, high=maximum, ttl=ttl)

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        return self._call("count", key=key, amount=-amount, low=minimum, high=None, ttl=ttl)

    def incr_and_sum(self, key: str, keys: Callable[[], list[str]], amount: int, maximum: int, ttl: int) -> bool:
        return self._call("count_and_sum", key=key, keys=keys(), amount=amount, high=maximum, ttl=ttl)

    def wait(self, key: str, timeout: int | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        pause, longest_pause = POLL_SECONDS
        while not self._call("exists", key=key):
            left = math.inf if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(2 * pause, longest_pause)
        return True

    def wait_notify(self, key: str, ttl: int) -> None:
        self._call("add", key=key, value=1, ttl=ttl)

    def _call(self, name: str, **arguments: Any) -> bool:
        with self.pool.transaction() as conn:
            return bool(getattr(queries.limits, name)(conn, **arguments))
