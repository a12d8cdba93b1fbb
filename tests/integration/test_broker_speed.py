"""What makes the broker fast must not change what it does."""

from typing import Any

import dramatiq
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from broker import PostgresBroker
from tests.integration.broker_cases import run, states

CLAIM = "SELECT message_id::text FROM dramatiq.exchange(%s, 'default', '{}', '{}', %s, p_after => %s)"


def worker(connection: Connection) -> int:
    [(number,)] = run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('here', 1) RETURNING id")
    return int(number)


def test_a_claim_behind_another_leaves_what_came_back_to_the_next_whole_look(
    broker: PostgresBroker, connection: Connection
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    first, second, third = (actor.send(number).message_id for number in range(3))
    number = worker(connection)
    assert run(connection, CLAIM, number, 2, None) == [(first,), (second,)]
    run(connection, "SELECT dramatiq.requeue(ARRAY[%s]::uuid[], '{1}')", first)
    assert run(connection, CLAIM, number, 5, second) == [(third,)]
    assert run(connection, CLAIM, number, 5, None) == [(first,)]


def test_a_claim_behind_a_message_that_is_gone_finds_nothing_and_the_next_one_everything(
    broker: PostgresBroker, connection: Connection
) -> None:
    sent = dramatiq.actor(broker=broker, actor_name="note")(print).send().message_id
    number = worker(connection)
    assert run(connection, CLAIM, number, 5, "00000000-0000-0000-0000-000000000000") == []
    assert run(connection, CLAIM, number, 5, None) == [(sent,)]


def test_a_higher_priority_that_comes_during_a_drain_overtakes_the_backlog(broker: PostgresBroker, work: Any) -> None:
    seen: list[str] = []

    @dramatiq.actor(broker=broker)
    def calm(number: int) -> None:
        seen.append("calm")
        if number == 100:
            urgent.send()

    urgent = dramatiq.actor(broker=broker, actor_name="urgent", priority=-5)(lambda: seen.append("urgent"))
    broker.enqueue_many(calm.message(number) for number in range(20_000))
    work()
    broker.join("default", timeout=60_000)
    assert len(seen) == 20_001
    assert seen.index("urgent") < 15_000


def test_middleware_that_comes_later_is_asked_too(broker: PostgresBroker, work: Any) -> None:
    heard: list[str] = []

    class Listener(dramatiq.Middleware):
        def after_ack(self, broker: Any, message: Any) -> None:
            heard.append(message.actor_name)

    actor = dramatiq.actor(broker=broker, actor_name="note")(lambda: None)
    actor.send()
    worker_ = work()
    broker.join("default", timeout=20_000)
    assert heard == []
    broker.add_middleware(Listener())
    actor.send()
    broker.join("default", timeout=20_000)
    worker_.join()
    assert heard == ["note"]


def test_many_messages_of_several_queues_and_priorities_are_enqueued_together(
    broker: PostgresBroker, connection: Connection
) -> None:
    calm = dramatiq.actor(broker=broker, actor_name="calm", queue_name="one")(print)
    urgent = dramatiq.actor(broker=broker, actor_name="urgent", queue_name="two", priority=-5)(print)
    broker.enqueue_many([calm.message("\x1e, the sign between messages"), urgent.message('"quoted" \\ и по-русски')])
    assert states(connection) == {"queued": 2}
    rows = run(connection, "SELECT queue_name, priority, message -> 'args' ->> 0 FROM dramatiq.queue ORDER BY position")
    assert rows == [("one", 0, "\x1e, the sign between messages"), ("two", 5, '"quoted" \\ и по-русски')]


def test_nothing_to_enqueue_is_no_statement(broker: PostgresBroker, connection: Connection) -> None:
    broker.enqueue_many([])
    assert states(connection) == {}
