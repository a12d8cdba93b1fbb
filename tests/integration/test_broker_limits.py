"""Rate limiters and barriers on PostgreSQL: what Dramatiq's own backends are tested for, from many threads at once."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
import pytest
from dramatiq import RateLimitExceeded
from dramatiq.rate_limits import Barrier, BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter

from db import queries
from db.connection import Connection
from db.database import pool
from messaging.broker import PostgresBroker
from messaging.limits import PostgresLimits
from tests.integration.broker_cases import PATIENCE, run
from tests.waiting import until

THREADS = 8


@pytest.fixture
def limits(environment: pytest.MonkeyPatch) -> PostgresLimits:
    return PostgresLimits(pool)


def at_once(call: Callable[[], Any], times: int = 1) -> list[Any]:
    """What `call` returns to so many threads that start together, `times` in each."""
    start = threading.Barrier(THREADS)

    def body() -> list[Any]:
        start.wait()
        return [call() for _ in range(times)]

    with ThreadPoolExecutor(THREADS) as threads:
        return [result for future in [threads.submit(body) for _ in range(THREADS)] for result in future.result()]


def test_a_concurrent_limiter_lets_no_more_in_than_its_limit(limits: PostgresLimits) -> None:
    limiter = ConcurrentRateLimiter(limits, "two", limit=2)
    most, inside, lock = [0], [0], threading.Lock()

    def enter() -> bool:
        with limiter.acquire(raise_on_failure=False) as acquired:
            if acquired:
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                with lock:
                    inside[0] -= 1
            return bool(acquired)

    entered = at_once(enter, times=20)
    assert most[0] == 2
    assert 0 < sum(entered) < len(entered)


def test_a_full_limiter_raises_and_lets_the_next_in_afterwards(limits: PostgresLimits) -> None:
    mutex = ConcurrentRateLimiter(limits, "mutex", limit=1)
    with mutex.acquire(), pytest.raises(RateLimitExceeded), mutex.acquire():
        pass
    with mutex.acquire(raise_on_failure=False) as acquired:
        assert acquired


def test_a_limiter_whose_holder_died_opens_again_after_its_time_to_live(limits: PostgresLimits) -> None:
    mutex = ConcurrentRateLimiter(limits, "mutex", limit=1, ttl=200)
    limits.add("mutex", 1, ttl=200)  # what a holder leaves behind that never releases
    began = time.monotonic()
    until(lambda: bool(mutex._acquire()))
    assert time.monotonic() - began > 0.15


def test_a_bucket_lets_so_many_through_and_no_more(limits: PostgresLimits) -> None:
    limiter = BucketRateLimiter(limits, "bucket", limit=10, bucket=86_400_000 * 365)
    assert sum(at_once(limiter._acquire, times=5)) == 10


def test_a_window_lets_so_many_through_and_no_more(limits: PostgresLimits) -> None:
    limiter = WindowRateLimiter(limits, "window", limit=10, window=60)
    assert sum(at_once(limiter._acquire, times=5)) == 10


def test_a_window_slides(limits: PostgresLimits) -> None:
    limiter = WindowRateLimiter(limits, "window", limit=3, window=1)
    assert sum(limiter._acquire() for _ in range(3)) == 3
    until(limiter._acquire)


def test_a_window_counts_what_a_later_second_has_let_through(limits: PostgresLimits) -> None:
    """Whoever read the clock first may come last, by a stall or by a clock that is late."""
    late, early = (["mail@101", "mail@100"], ["mail@100", "mail@99"])
    assert limits.incr_and_sum(late[0], lambda: late, 1, maximum=1, ttl=PATIENCE)
    assert not limits.incr_and_sum(early[0], lambda: early, 1, maximum=1, ttl=PATIENCE)
    assert limits.incr_and_sum("mail-of-others@100", lambda: ["mail-of-others@100"], 1, maximum=1, ttl=PATIENCE)


def test_windows_of_other_keys_do_not_count(limits: PostgresLimits) -> None:
    mail, payments = (WindowRateLimiter(limits, key, limit=1, window=60) for key in ("mail", "payments"))
    assert mail._acquire()
    assert not mail._acquire()
    assert payments._acquire()


def test_a_barrier_opens_for_the_last_party_only(limits: PostgresLimits) -> None:
    barrier = Barrier(limits, uuid.uuid4().hex)
    assert barrier.create(parties=THREADS)
    assert not barrier.create(parties=THREADS)
    assert sorted(at_once(lambda: barrier.wait(block=False))) == [False] * (THREADS - 1) + [True]


def test_a_barrier_holds_everyone_until_the_last_has_come(limits: PostgresLimits) -> None:
    barrier = Barrier(limits, uuid.uuid4().hex)
    barrier.create(parties=THREADS)
    assert all(at_once(lambda: barrier.wait(timeout=PATIENCE)))


def test_a_barrier_gives_up_after_its_timeout(limits: PostgresLimits) -> None:
    barrier = Barrier(limits, uuid.uuid4().hex)
    barrier.create(parties=2)
    assert not barrier.wait(timeout=1000)


def test_a_rate_limited_actor_runs_when_there_is_room_again(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker], limits: PostgresLimits
) -> None:
    most, inside, ran, lock = [0], [0], [0], threading.Lock()

    @dramatiq.actor(broker=broker, min_backoff=1, max_backoff=20, max_retries=None)
    def one_at_a_time() -> None:
        with ConcurrentRateLimiter(limits, "one", limit=1).acquire():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1
                ran[0] += 1

    for _ in range(20):
        one_at_a_time.send()
    work(threads=8)
    broker.join("default", timeout=PATIENCE)
    assert ran == [20]
    assert most == [1]


def test_counters_that_expired_are_purged(limits: PostgresLimits, connection: Connection) -> None:
    limits.add("gone", 1, ttl=1)
    limits.add("kept", 1, ttl=PATIENCE)
    until(lambda: queries.limits.purge(connection, keys=["gone", "kept"]))
    assert run(connection, "SELECT key FROM dramatiq.counter") == [("kept",)]
