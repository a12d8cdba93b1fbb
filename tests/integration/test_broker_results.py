"""Results, groups, pipelines, callbacks: what Dramatiq's users expect of a broker with a results backend."""

from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq import group, pipeline
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultFailure, ResultMissing, ResultTimeout

from db import queries
from db.connection import Connection
from db.database import pool
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until

Work = Callable[..., dramatiq.Worker]


@pytest.fixture
def arithmetic(broker: PostgresBroker) -> dict[str, Any]:
    @dramatiq.actor(broker=broker, store_results=True)
    def add(left: int, right: int) -> int:
        return left + right

    @dramatiq.actor(broker=broker, store_results=True, max_retries=0)
    def fail(*_: Any) -> None:
        raise ValueError("no such luck")

    @dramatiq.actor(broker=broker, store_results=True)
    def repeat(text: str, times: int) -> str:
        return text * times

    return {"add": add, "fail": fail, "repeat": repeat}


def test_a_result_is_returned(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    message = arithmetic["add"].send(2, 3)
    work()
    assert broker.get_results_backend().get_result(message, block=True, timeout=PATIENCE) == 5


def test_a_result_of_a_megabyte_is_returned(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    message = arithmetic["repeat"].send("дом", 300_000)
    work()
    assert broker.get_results_backend().get_result(message, block=True, timeout=PATIENCE) == "дом" * 300_000


def test_the_result_of_an_actor_that_failed_is_raised(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    message = arithmetic["fail"].send()
    work()
    with pytest.raises(ResultFailure, match="ValueError: no such luck"):
        broker.get_results_backend().get_result(message, block=True, timeout=PATIENCE)


def test_a_missing_result_is_told_from_one_that_is_none(broker: PostgresBroker, work: Work) -> None:
    nothing = dramatiq.actor(broker=broker, actor_name="nothing", store_results=True)(lambda: None)
    message = nothing.send()
    backend = broker.get_results_backend()
    with pytest.raises(ResultMissing):
        backend.get_result(message)
    with pytest.raises(ResultTimeout):
        backend.get_result(message, block=True, timeout=50)
    work()
    assert backend.get_result(message, block=True, timeout=PATIENCE) is None


def test_an_expired_result_is_missing_and_purged(
    broker: PostgresBroker, work: Work, arithmetic: Any, connection: Connection
) -> None:
    message = arithmetic["add"].send_with_options(args=(2, 3), result_ttl=1)
    work()
    broker.join("default", timeout=PATIENCE)
    until(lambda: queries.results.purge(connection, keys=[message.message_id]))
    with pytest.raises(ResultMissing):
        broker.get_results_backend().get_result(message)


def bottomless() -> Any:
    value: Any = []
    for _ in range(5_000):
        value = [value]
    return value


@pytest.mark.parametrize("result", [object, bottomless])
def test_a_result_that_cannot_be_stored_makes_its_message_a_dead_letter(
    broker: PostgresBroker, work: Work, connection: Connection, result: Any
) -> None:
    odd = dramatiq.actor(broker=broker, actor_name="odd", store_results=True)(result)
    message = odd.send()
    work()
    broker.join("default", timeout=PATIENCE)
    [(error,)] = run(connection, "SELECT error FROM dramatiq.dead_letter")
    assert error.startswith(f"InvalidMessage: The result of message {message.message_id} cannot be stored")
    with pytest.raises(ResultFailure, match="cannot be stored"):
        broker.get_results_backend().get_result(message, block=True, timeout=PATIENCE)


def test_a_pipeline_feeds_each_result_to_the_next(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    add = arithmetic["add"]
    chain = pipeline([add.message(1, 2), add.message(3), add.message(4)], broker=broker).run()
    work()
    assert chain.get_result(block=True, timeout=PATIENCE) == 10
    assert list(chain.get_results(block=True, timeout=PATIENCE)) == [3, 6, 10]
    assert chain.completed
    assert chain.completed_count == 3


def test_a_pipeline_ends_where_one_of_it_fails(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    chain = pipeline([arithmetic["fail"].message(), arithmetic["add"].message(3)], broker=broker).run()
    work()
    broker.join("default", timeout=PATIENCE)
    assert not chain.completed


def test_a_pipeline_may_start_late_and_delay_its_parts(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    add = arithmetic["add"]
    parts = [add.message(1, 2), add.message_with_options(args=(3,), delay=100)]
    chain = pipeline(parts, broker=broker).run(delay=100)
    work()
    assert chain.get_result(block=True, timeout=PATIENCE) == 6


def test_a_pipeline_whose_next_message_cannot_be_stored_becomes_a_dead_letter(
    broker: PostgresBroker, work: Work, connection: Connection
) -> None:
    spoil = dramatiq.actor(broker=broker, actor_name="spoil")(lambda: "\x00")
    show = dramatiq.actor(broker=broker, actor_name="show")(print)
    pipeline([spoil.message(), show.message()], broker=broker).run()
    work()
    broker.join("default", timeout=PATIENCE)
    [(actor, error)] = run(connection, "SELECT actor_name, error FROM dramatiq.dead_letter")
    assert actor == "spoil"
    assert error.startswith("InvalidMessage: Message for show: PostgreSQL cannot store argument 1")


def test_a_group_gives_the_results_of_all(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    add = arithmetic["add"]
    inner = group([add.message(10, 1), add.message(10, 2)], broker=broker)
    together = group([add.message(1, 1), add.message(2, 2), inner, add.message(1, 2) | add.message(4)], broker=broker)
    together.run()
    work()
    assert list(together.get_results(block=True, timeout=PATIENCE)) == [2, 4, [11, 12], 7]
    assert together.completed


def test_a_group_whose_member_fails_says_so(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    together = group([arithmetic["add"].message(1, 1), arithmetic["fail"].message()], broker=broker).run()
    work()
    with pytest.raises(ResultFailure):
        together.wait(timeout=PATIENCE)


def test_a_group_calls_back_once_when_all_are_through(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    called: list[int] = []
    finish = dramatiq.actor(broker=broker, actor_name="finish")(lambda: called.append(1))
    together = group([arithmetic["add"].message(number, 1) for number in range(50)], broker=broker)
    together.add_completion_callback(finish.message())
    together.run()
    work(threads=8)
    until(lambda: bool(called))
    broker.join("default", timeout=PATIENCE)
    assert called == [1]
    assert together.completed_count == 50


def test_a_skipped_message_has_the_result_none(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    class Refusal(dramatiq.Middleware):
        def before_process_message(self, broker: Any, message: Any) -> None:
            raise SkipMessage

    broker.add_middleware(Refusal())
    message = arithmetic["add"].send(1, 2)
    work()
    assert broker.get_results_backend().get_result(message, block=True, timeout=PATIENCE) is None


def test_a_message_that_was_handed_back_has_no_result_yet(broker: PostgresBroker, work: Work, arithmetic: Any) -> None:
    class Doubt(dramatiq.Middleware):
        """Hands the first message back at the last moment."""

        seen = 0

        def before_process_message(self, broker: Any, message: Any) -> None:
            Doubt.seen += 1
            if Doubt.seen == 1:
                broker.process.claims["default"].hand_back()

    broker.add_middleware(Doubt(), before=type(broker.middleware[0]))
    message = arithmetic["add"].send(1, 2)
    work()
    assert broker.get_results_backend().get_result(message, block=True, timeout=PATIENCE) == 3
    assert Doubt.seen == 2


def test_results_outlive_the_broker_that_stored_them(
    broker: PostgresBroker, work: Work, arithmetic: Any, connection: Connection
) -> None:
    message = arithmetic["add"].send(2, 3)
    work()
    broker.join("default", timeout=PATIENCE)
    other = PostgresBroker(pool)
    assert other.get_results_backend().get_result(message) == 5
    assert states(connection) == {"done": 1}


def test_a_result_that_somebody_stored_by_hand_is_returned_as_it_is(broker: PostgresBroker, arithmetic: Any) -> None:
    """As code that is older than wrapped results does it."""
    backend, message = broker.get_results_backend(), arithmetic["add"].message(2, 3)
    backend._store(backend.build_message_key(message), 42, 10_000)
    assert backend.get_result(message) == 42
