"""What a test of an actor has: what is enqueued, a queue worked off, and sends that run at once."""

from contextlib import closing
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import QueueJoinTimeout

from db.connection import Connection, connect
from errors import PermanentError
from messaging.broker import PostgresBroker
from messaging.testing import assert_enqueued, drain, enqueued, inline, refute_enqueued
from tests.integration.broker_cases import run, states


class Bakery:
    """Actors that note what they did."""

    def __init__(self, broker: PostgresBroker) -> None:
        self.done: list[str] = []
        self.raw = 0  # how often baking fails yet
        self.bake = dramatiq.actor(broker=broker, actor_name="bake", queue_name="oven", min_backoff=60_000)(self._bake)
        self.sell = dramatiq.actor(broker=broker, actor_name="sell", queue_name="counter")(self._sell)
        self.burn = dramatiq.actor(broker=broker, actor_name="burn", queue_name="oven", throws=PermanentError)(
            self._burn
        )

    def _bake(self, loaf: str, *, seeds: bool = False) -> None:
        if self.raw:
            self.raw -= 1
            raise ValueError(f"{loaf} is raw")
        self.done.append(f"baked {loaf}{' with seeds' * seeds}")
        self.sell.send(loaf)

    def _sell(self, loaf: str) -> None:
        self.done.append(f"sold {loaf}")

    def _burn(self, loaf: str) -> None:
        raise PermanentError(f"{loaf} is charcoal")


@pytest.fixture
def bakery(broker: PostgresBroker) -> Bakery:
    return Bakery(broker)


def test_what_is_enqueued_is_found_by_its_arguments_however_they_were_given(bakery: Bakery) -> None:
    bakery.bake.send("rye", seeds=True)
    bakery.bake.send_with_options(kwargs={"loaf": "spelt"}, delay=60_000, broker_priority=3)
    rye, spelt = enqueued(bakery.bake)
    assert rye.arguments == {"loaf": "rye", "seeds": True}
    assert assert_enqueued(bakery.bake, loaf="spelt") == spelt
    assert spelt.priority == 3
    assert timedelta(seconds=50) < spelt.due - rye.due < timedelta(seconds=70)
    refute_enqueued(bakery.bake, loaf="wheat")
    refute_enqueued(bakery.sell)


def test_a_failed_assertion_says_what_there_is(bakery: Bakery) -> None:
    bakery.bake.send("rye")
    with pytest.raises(AssertionError, match=r"No message for bake has \{'loaf': 'spelt'\}.*\n  \{'loaf': 'rye'\}"):
        assert_enqueued(bakery.bake, loaf="spelt")
    with pytest.raises(AssertionError, match=r"for sell has \{\}.*\n  none"):
        assert_enqueued(bakery.sell)
    with pytest.raises(AssertionError, match=r"A message for bake is enqueued: \{'loaf': 'rye'\}"):
        refute_enqueued(bakery.bake)


def test_arguments_that_the_actor_does_not_take_are_shown_as_they_are(bakery: Bakery) -> None:
    bakery.sell.send_with_options(args=("rye",), kwargs={"butter": True})
    assert enqueued(bakery.sell, butter=True)[0].arguments == {"0": "rye", "butter": True}


def test_what_an_actor_takes_by_any_name_is_found_by_it(broker: PostgresBroker) -> None:
    @dramatiq.actor(broker=broker)
    def note(loaf: str, **facts: Any) -> None: ...

    note.send("rye", weight=800, crust="dark")
    assert_enqueued(note, crust="dark")
    assert enqueued(note)[0].arguments == {"loaf": "rye", "weight": 800, "crust": "dark"}
    note.send("spelt")
    assert assert_enqueued(note, loaf="spelt").arguments == {"loaf": "spelt"}


def test_a_message_of_an_open_transaction_is_not_enqueued_yet(
    broker: PostgresBroker, bakery: Bakery, database: str
) -> None:
    with closing(connect(database)) as conn:
        with broker.transaction(conn):
            bakery.bake.send("rye")
        refute_enqueued(bakery.bake)
        conn.commit()
    assert_enqueued(bakery.bake)


def test_an_encrypted_message_is_enqueued_with_what_it_says(environment: pytest.MonkeyPatch, database: str) -> None:
    broker = PostgresBroker(url=database, keys=lambda: [b"k" * 32])
    with closing(broker):
        bakery = Bakery(broker)
        bakery.bake.send("rye")
        assert_enqueued(bakery.bake, loaf="rye")


def test_draining_runs_what_is_due_and_what_that_sends(
    broker: PostgresBroker, bakery: Bakery, connection: Connection
) -> None:
    bakery.bake.send("rye")
    bakery.bake.send("spelt")
    bakery.sell.send_with_options(args=("a wedding cake",), delay=60_000)
    assert drain(broker) == 4
    for deed in ("baked", "sold"):  # of two queues, each has its order
        assert [each for each in bakery.done if each.startswith(deed)] == [f"{deed} rye", f"{deed} spelt"]
    assert states(connection) == {"done": 4, "queued": 1}


def test_draining_one_queue_leaves_the_others(broker: PostgresBroker, bakery: Bakery) -> None:
    bakery.bake.send("rye")
    assert drain(broker, "oven") == 1
    assert_enqueued(bakery.sell, loaf="rye")
    assert drain(broker, "oven") == 0


def test_a_retry_waits_unless_what_is_delayed_is_drained_too(broker: PostgresBroker, bakery: Bakery) -> None:
    bakery.raw = 2
    bakery.bake.send("rye")
    assert drain(broker) == 1
    assert_enqueued(bakery.bake, loaf="rye")
    assert drain(broker, delayed=True) == 3
    assert bakery.done == ["baked rye", "sold rye"]


def test_what_waits_in_line_behind_a_retry_waits_with_it(broker: PostgresBroker, bakery: Bakery) -> None:
    bakery.raw = 1
    for loaf in ("rye", "spelt"):
        bakery.bake.send_with_options(args=(loaf,), key="order 7")
    assert drain(broker, "oven") == 1
    assert [message.arguments["loaf"] for message in enqueued(bakery.bake)] == ["spelt", "rye"]
    assert drain(broker, "oven", delayed=True) == 2
    assert bakery.done == ["baked rye", "baked spelt"]


def test_draining_raises_what_the_actor_raised_and_runs_the_rest(
    broker: PostgresBroker, bakery: Bakery, connection: Connection
) -> None:
    bakery.burn.send("rye")
    bakery.bake.send("spelt")
    with pytest.raises(PermanentError, match="rye is charcoal"):
        drain(broker)
    assert bakery.done == ["baked spelt", "sold spelt"]
    assert states(connection) == {"rejected": 1, "done": 2}
    assert drain(broker) == 0


def test_draining_takes_what_waits_in_pgmq(broker: PostgresBroker, connection: Connection) -> None:
    sold: list[str] = []

    @dramatiq.actor(broker=broker, queue_name="till", pgmq_queue="coins")
    def take(coin: str) -> None:
        sold.append(coin)

    broker.publish_actors(connection, retire=True)
    run(connection, """SELECT pgmq.send('coins', '{"coin": "a penny"}')""")
    assert drain(broker, "till") == 1
    assert sold == ["a penny"]


def test_draining_leaves_a_paused_queue_alone(broker: PostgresBroker, bakery: Bakery, connection: Connection) -> None:
    bakery.bake.send("rye")
    run(connection, "SELECT dramatiq.pause_queue('oven', NULL, 'anna', 'the oven is cold')")
    assert drain(broker) == 0
    assert_enqueued(bakery.bake, loaf="rye")


def test_an_actor_that_always_sends_itself_ends_the_draining(broker: PostgresBroker) -> None:
    @dramatiq.actor(broker=broker)
    def again() -> None:
        again.send()

    again.send()
    with pytest.raises(QueueJoinTimeout):
        drain(broker, timeout_seconds=0.3)


def test_what_is_sent_inline_has_run_when_send_returns(broker: PostgresBroker, bakery: Bakery) -> None:
    with inline(broker):
        bakery.bake.send("rye")
        assert bakery.done == ["baked rye", "sold rye"]
        bakery.sell.send("spelt")
        assert bakery.done[2:] == ["sold spelt"]
    bakery.sell.send("wheat")
    assert_enqueued(bakery.sell, loaf="wheat")


def test_what_is_sent_inline_raises_at_the_send(broker: PostgresBroker, bakery: Bakery) -> None:
    with inline(broker):
        with pytest.raises(PermanentError, match="rye is charcoal"):
            bakery.burn.send("rye")
        bakery.sell.send("spelt")
    assert bakery.done == ["sold spelt"]


def test_inline_a_transactions_messages_run_once_it_is_committed(
    broker: PostgresBroker, bakery: Bakery, database: str
) -> None:
    with closing(connect(database)) as conn, inline(broker):
        with broker.transaction(conn):
            bakery.sell.send("rye")
        assert bakery.done == []
        conn.commit()
    assert bakery.done == ["sold rye"]


def test_an_actor_of_another_kind_of_broker_is_refused() -> None:
    @dramatiq.actor(broker=StubBroker())
    def elsewhere() -> None: ...

    with pytest.raises(TypeError, match="elsewhere is an actor of a StubBroker"):
        enqueued(elsewhere)


def test_nothing_of_the_helpers_stays_with_the_broker(broker: PostgresBroker, bakery: Bakery) -> None:
    before: list[Any] = list(broker.middleware)
    with inline(broker):
        bakery.sell.send("rye")
    drain(broker)
    assert broker.middleware == before
    assert "enqueue_many" not in vars(broker)
