"""What makes the broker fast must not change what it does."""

from typing import Any

import dramatiq
import pytest

from db.connection import Connection
from errors import InvalidMessage
from messaging.broker import PostgresBroker
from messaging.intake import FEWEST_COPIED
from tests.integration.broker_cases import run, states

CLAIM = "SELECT message_id::text FROM dramatiq.exchange(%s, 'default', '{}', '{}', %s, p_after => %s)"


BRIDGE = """SELECT message_id::text FROM dramatiq.exchange(
                %s, 'default', '{}', '{}', %s, 'analytics_queue', 'note', p_after => %s)"""


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


@pytest.fixture
def routed(broker: PostgresBroker, connection: Connection) -> Any:
    """An actor whose published route is the one that BRIDGE asks for."""
    actor = dramatiq.actor(broker=broker, actor_name="note", pgmq_queue="analytics_queue")(print)
    broker.publish_actors(connection, retire=True)
    return actor


@pytest.mark.usefixtures("routed")
def test_a_fast_queue_claims_what_it_moves_from_pgmq_and_keeps_no_stock(connection: Connection) -> None:
    run(connection, "SELECT pgmq.send('analytics_queue', '{}') FROM generate_series(1, 1000)")
    number = worker(connection)
    assert len(run(connection, BRIDGE, number, 8, None)) == 8
    assert states(connection) == {"consumed": 8, "queued": 120}
    last = None
    for _ in range(3):
        claimed = run(connection, BRIDGE, number, 100, last)
        assert len(claimed) == 100
        [last] = claimed[-1]
    assert states(connection) == {"consumed": 308}


def test_what_is_sent_straight_to_a_queue_does_not_hold_up_what_comes_through_pgmq(
    broker: PostgresBroker, connection: Connection, routed: Any
) -> None:
    broker.enqueue_many(routed.message() for _ in range(1000))
    run(connection, "SELECT pgmq.send('analytics_queue', '{}')")
    run(connection, BRIDGE, worker(connection), 100, None)
    assert states(connection) == {"consumed": 100, "queued": 901}


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


FEW_AND_MANY = pytest.mark.parametrize("count", [2, 2 * FEWEST_COPIED])


@FEW_AND_MANY
def test_messages_of_several_queues_and_priorities_are_enqueued_together(
    broker: PostgresBroker, connection: Connection, count: int
) -> None:
    calm = dramatiq.actor(broker=broker, actor_name="calm", queue_name="one")(print)
    urgent = dramatiq.actor(broker=broker, actor_name="urgent", queue_name="two", priority=-5)(print)
    broker.enqueue_many(
        each
        for _ in range(count // 2)
        for each in (calm.message("\x1e\t\n, signs between messages"), urgent.message('"quoted" \\N и \\n по-русски'))
    )
    assert states(connection) == {"queued": count}
    rows = run(connection, "SELECT queue_name, priority, message -> 'args' ->> 0 FROM dramatiq.queue ORDER BY position")
    assert rows == count // 2 * [
        ("one", 0, "\x1e\t\n, signs between messages"),
        ("two", 5, '"quoted" \\N и \\n по-русски'),
    ]


@FEW_AND_MANY
def test_messages_enqueued_together_may_fall_due_later(
    broker: PostgresBroker, connection: Connection, count: int
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    broker.enqueue_many((actor.message(number) for number in range(count)), delay=3_600_000)
    late = "available_at BETWEEN now() + interval '59 minutes' AND now() + interval '60 minutes'"
    assert run(connection, f"SELECT delayed, {late}, count(*) FROM dramatiq.queue GROUP BY 1, 2") == [
        (True, True, count)
    ]


@FEW_AND_MANY
def test_of_messages_enqueued_together_those_that_exist_start_over(
    broker: PostgresBroker, connection: Connection, count: int
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    messages = [actor.message(number) for number in range(count)]
    broker.enqueue(messages[-1])
    assert run(connection, CLAIM, worker(connection), 1, None) == [(messages[-1].message_id,)]
    broker.enqueue_many(messages)
    attempts = run(connection, "SELECT attempt, count(*) FROM dramatiq.queue GROUP BY attempt ORDER BY attempt")
    assert (states(connection), attempts) == ({"queued": count}, [(0, count - 1), (2, 1)])


@FEW_AND_MANY
def test_of_messages_enqueued_together_one_that_cannot_be_stored_keeps_all_out(
    broker: PostgresBroker, connection: Connection, count: int
) -> None:
    actor = dramatiq.actor(broker=broker, actor_name="note")(print)
    messages = [actor.message(number) for number in range(count - 1)]
    with pytest.raises(InvalidMessage, match="Message for note: PostgreSQL cannot store argument 1"):
        broker.enqueue_many([*messages, actor.message("\x00")])
    assert states(connection) == {}


def test_nothing_to_enqueue_is_no_statement(broker: PostgresBroker, connection: Connection) -> None:
    broker.enqueue_many([])
    assert states(connection) == {}
