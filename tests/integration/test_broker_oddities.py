"""One odd actor or message ends with what can be said of it, and stops nobody else."""

from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import CurrentMessage

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until

Work = Callable[..., dramatiq.Worker]


class Mute(Exception):  # noqa: N818 - says what is odd about it
    def __str__(self) -> str:
        raise LookupError("no words")


class Rootless(Exception):  # noqa: N818
    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise LookupError("no cause")


class Unwritable:
    def __str__(self) -> str:
        raise LookupError("no words")


def circle() -> dict[str, Any]:
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    return ring


@pytest.mark.parametrize("kind", [Mute, Rootless])
@pytest.mark.parametrize("max_retries", [0, 1])
def test_an_exception_that_cannot_be_told_ends_with_its_kind(
    broker: PostgresBroker, work: Work, connection: Connection, kind: type[Exception], max_retries: int
) -> None:
    @dramatiq.actor(broker=broker, max_retries=max_retries, min_backoff=1, max_backoff=1)
    def fail() -> None:
        raise kind("odd")

    @dramatiq.actor(broker=broker)
    def succeed() -> None: ...

    fail.send()
    succeed.send()
    work()
    until(lambda: states(connection) == {"rejected": 1, "done": 1})
    [(error,)] = run(connection, "SELECT error FROM dramatiq.dead_letter")
    assert kind.__name__ in error


@pytest.mark.parametrize(
    "value", [float("nan"), circle(), {(1, 2): 3}, Unwritable()], ids=["nan", "circle", "tuple key", "unwritable"]
)
@pytest.mark.parametrize("fails", [True, False], ids=["reject", "retry"])
def test_options_that_json_refuses_end_as_a_dead_letter_with_the_reason(
    broker: PostgresBroker, work: Work, connection: Connection, value: object, *, fails: bool
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0 if fails else 5, min_backoff=1)
    def spoil() -> None:
        message = CurrentMessage.get_current_message()
        assert message
        message.options["spoilt"] = value
        raise ZeroDivisionError("of the actor")

    @dramatiq.actor(broker=broker)
    def succeed() -> None: ...

    spoil.send()
    succeed.send()
    work()
    until(lambda: states(connection) == {"rejected": 1, "done": 1})
    [(error,)] = run(connection, "SELECT error FROM dramatiq.dead_letter")
    assert "ZeroDivisionError: of the actor" in error
    assert "Its options cannot be stored" in error


def test_an_actor_that_does_not_tell_what_it_takes_runs_and_stops_no_other(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    largest: Any = max  # inspect.signature raises ValueError
    dramatiq.actor(largest, broker=broker, actor_name="largest", max_retries=0)

    @dramatiq.actor(broker=broker)
    def succeed() -> None: ...

    with connection.cursor() as cursor:
        broker.publish_actors(connection)
        cursor.execute("SELECT dramatiq.send('largest', '{\"key\": 1}')")
    broker.get_actor("largest").send(1, 2)
    succeed.send()
    work()
    until(lambda: states(connection) == {"rejected": 1, "done": 2})
    broker.join("default", timeout=PATIENCE)
    [(error,)] = run(connection, "SELECT error FROM dramatiq.dead_letter")
    assert "TypeError" in error
