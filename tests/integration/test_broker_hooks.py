"""Middleware is told what happens to a message, whichever way it came into the broker's list."""

from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.errors import Retry
from dramatiq.middleware import ShutdownNotifications

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, message_with
from tests.waiting import until

Connect = Callable[[], Connection]
Work = Callable[..., dramatiq.Worker]


def test_middleware_is_told_of_retries_as_of_sends(broker: PostgresBroker, work: Work) -> None:
    told: list[Any] = []

    class Listener(dramatiq.Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            told.append(("before", delay))

        def after_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            told.append(("after", delay))

    @dramatiq.actor(broker=broker)
    def try_twice() -> None:
        if len(told) < 4:
            raise Retry(delay=1)

    broker.add_middleware(Listener())
    try_twice.send()
    work()
    until(lambda: len(told) == 4)
    broker.join("default", timeout=PATIENCE)
    assert told == [("before", None), ("after", None), ("before", 1), ("after", 1)]


def test_middleware_that_was_put_into_the_list_by_hand_is_told_too(broker: PostgresBroker) -> None:
    told: list[str] = []

    class Listener(dramatiq.Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            told.append(message.message_id)

    broker.enqueue(message_with())
    broker.middleware.append(Listener())
    heard = broker.enqueue(message_with())
    broker.middleware.pop()
    broker.enqueue(message_with())
    assert told == [heard.message_id]


def test_of_a_kind_that_may_stand_only_once_one_is_told_before_a_run(broker: PostgresBroker, work: Work) -> None:
    told: list[dramatiq.Middleware] = []

    class Listener(ShutdownNotifications):
        def before_process_message(self, broker: Any, message: Any) -> None:
            told.append(self)
            super().before_process_message(broker, message)  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker)
    def run() -> None:
        pass

    both = [Listener(), Listener()]  # type: ignore[no-untyped-call]
    broker.middleware.extend(both)
    run.send()
    work()
    broker.join("default", timeout=PATIENCE)
    assert told == both[1:]
