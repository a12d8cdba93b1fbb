"""What a worker sees to beside its work takes a twentieth of the time at most, however long it takes once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dramatiq
import pytest

from db.connection import Connection
from messaging import consumer
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, blocked, run
from tests.waiting import until

HOLD_SECONDS = 0.05
Hold = Callable[[], float]


@pytest.fixture
def hold(connection: Connection, connect: Callable[[], Connection]) -> Hold:
    """Keeps the messages from everybody until one has waited for a while; gives until when that one rests."""
    other = connect()
    other.autocommit = False
    run(other, "LOCK TABLE dramatiq.live IN ACCESS EXCLUSIVE MODE")

    def release() -> float:
        until(lambda: blocked(connection) == 1, "one waits")
        began = time.monotonic()
        until(lambda: time.monotonic() >= began + HOLD_SECONDS, "it has waited for a while")
        ended = time.monotonic()
        other.rollback()
        return ended + 19 * (ended - began)

    return release


@pytest.fixture
def taking(broker: PostgresBroker) -> consumer.PostgresConsumer:
    """A consumer of a worker that others know."""
    dramatiq.actor(broker=broker, actor_name="rest")(lambda: None)
    taking = broker.consume("default", timeout=PATIENCE)
    until(broker.pulse.may_claim, "others know it")
    return taking


def test_an_audit_that_took_long_is_not_repeated_soon(
    taking: consumer.PostgresConsumer, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "AUDIT_SECONDS", 0.0)
    taking.timeout_seconds = HOLD_SECONDS
    with ThreadPoolExecutor(1) as thread:
        looked = thread.submit(next, taking)
        rests_until = hold()
        assert looked.result() is None
    assert taking.audit_at >= rests_until


@pytest.mark.usefixtures("taking")
def test_a_look_for_stranded_claims_that_took_long_is_not_repeated_soon(broker: PostgresBroker, hold: Hold) -> None:
    broker.pulse.silence_seconds = 1
    rests_until = hold()
    until(lambda: broker.pulse.stranded_at > 0, "it has looked")
    assert broker.pulse.stranded_at >= rests_until
