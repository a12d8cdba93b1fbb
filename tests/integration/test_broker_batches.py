"""What is sent together: ids that stand twice, arguments nested too deeply, senders of the same messages at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
import pytest

from db.connection import Connection
from errors import InvalidMessage
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, blocked, run, states
from tests.waiting import until

BATCHES = [3, 100]  # messages: inserted, copied


def nested(levels: int, kind: str) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind == "list" else {"inner": value}
    return value


@pytest.fixture
def note(broker: PostgresBroker) -> dramatiq.Actor[..., Any]:
    @dramatiq.actor(broker=broker)
    def note(*_args: Any, **_options: Any) -> None: ...

    return note


@pytest.mark.parametrize("count", BATCHES)
def test_a_message_that_stands_twice_in_a_call_is_refused_by_its_id(
    broker: PostgresBroker, connection: Connection, note: Any, count: int
) -> None:
    messages = [note.message(number) for number in range(count)]
    twin = messages[1].copy(args=("other",))
    for again in (messages[1], twin, twin.copy(message_id=twin.message_id.upper())):
        with pytest.raises(InvalidMessage, match=f"(?i)note: its id {twin.message_id} stands twice"):
            broker.enqueue_many([*messages, again])
    assert states(connection) == {}


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("levels", [801, 998, 5_000, 100_000])
def test_arguments_nested_too_deeply_are_refused_by_name(
    broker: PostgresBroker, connection: Connection, note: Any, kind: str, levels: int
) -> None:
    deep = nested(levels, kind)
    with pytest.raises(InvalidMessage, match=r"note: argument 2 is nested more than 800 levels deep"):
        note.send("[[", deep)
    with pytest.raises(InvalidMessage, match=r"note: argument 'tree' is nested more than 800 levels deep"):
        broker.enqueue_many([note.message("shallow"), note.message(tree=deep)])
    assert states(connection) == {}


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_arguments_nested_as_deeply_as_they_may_be_run(
    broker: PostgresBroker, connection: Connection, work: Any, note: Any, kind: str
) -> None:
    note.send(nested(800, kind), "[" * 2_000, *[[]] * 1_000)
    work()
    broker.join("default", timeout=PATIENCE)
    assert states(connection) == {"done": 1}


@pytest.mark.parametrize("count", BATCHES)
@pytest.mark.parametrize("new", [True, False])
def test_two_senders_of_the_same_messages_never_deadlock(
    connection: Connection, connect: Callable[[], Connection], note: Any, count: int, new: bool
) -> None:
    messages = sorted((note.message(number) for number in range(count)), key=lambda message: message.message_id)
    broker = note.broker
    if not new:
        broker.enqueue_many(messages)
    # A third holds the first message, so that both senders are on their way before either can finish.
    third = connect()
    third.autocommit = False
    run(third, "DELETE FROM dramatiq.queue WHERE message_id = %s", messages[0].message_id)
    if new:
        run(third, "INSERT INTO dramatiq.queue (message_id) VALUES (%s)", messages[0].message_id)
    with ThreadPoolExecutor(2) as senders:
        sends = []
        for number, batch in enumerate((messages, messages[::-1]), start=1):
            sends.append(senders.submit(broker.enqueue_many, batch))
            until(lambda: blocked(connection) == number)  # noqa: B023 - asked for before the next round
        third.rollback()
        for send in sends:
            send.result()
    assert states(connection) == {"queued": count}


@pytest.mark.parametrize("count", BATCHES)
def test_what_is_sent_together_keeps_its_order(
    broker: PostgresBroker, connection: Connection, note: Any, count: int
) -> None:
    broker.enqueue_many(note.message(number) for number in range(count))
    broker.enqueue_many(note.message(number) for number in range(count, 2 * count))
    found = run(connection, "SELECT message -> 'args' -> 0 FROM dramatiq.queue ORDER BY available_at, position")
    assert found == [(number,) for number in range(2 * count)]


def test_acks_and_a_sender_of_the_same_messages_never_deadlock(
    connection: Connection, connect: Callable[[], Connection], note: Any, caplog: pytest.LogCaptureFixture
) -> None:
    messages = sorted((note.message(number) for number in range(2)), key=lambda message: message.message_id)
    note.broker.enqueue_many(messages)
    consumer = note.broker.consume("default", prefetch=4, timeout=5_000)
    claims = sorted((next(consumer) for _ in messages), key=lambda claim: claim.message_id, reverse=True)
    third = connect()
    third.autocommit = False
    run(third, "SELECT FROM dramatiq.queue WHERE message_id = %s FOR UPDATE", messages[0].message_id)
    with ThreadPoolExecutor(2) as both:
        send = both.submit(note.broker.enqueue_many, messages)
        until(lambda: blocked(connection) == 1)
        for claim in claims:
            consumer.ack(claim)
        close = both.submit(consumer.close)
        until(lambda: blocked(connection) == 2)
        third.rollback()
        send.result()
        close.result()
    assert "deadlock" not in caplog.text
    assert states(connection) == {"queued": 2}
