"""A held snapshot keeps the index entries of what was delayed and fell due: no later look walks them."""

from collections.abc import Callable
from typing import Any

import pytest

from db import queries
from db.connection import Connection
from tests.integration.broker_cases import run
from tests.integration.held_cases import FUTURE, MANY, NEAR, entries_read, exchange
from tests.integration.line_cases import QUEUE, Hands

HORIZON = f"'dramatiq.horizon_' || md5('{QUEUE}')"
LEARNT = f"(current_setting({HORIZON})::dramatiq.horizon).available_at"
LONG_AGO = "timestamptz '2000-01-01 00:00Z'"
BE_DUE = "UPDATE dramatiq.live SET available_at = now() - interval '1 second' WHERE delayed"


def find_dear(hands: Hands, since: str, whole_at: str = FUTURE) -> None:
    """Remember that a look at all that is delayed is dear, and that nothing is left which fell due before `since`."""
    run(hands.connection, f"SELECT set_config({HORIZON}, ROW({since}, 0, {whole_at})::dramatiq.horizon::text, false)")


def next_due(hands: Hands) -> float | None:
    seconds: float | None = queries.broker.next_due(hands.connection, queue=QUEUE, pgmq_queue=None)
    return seconds


@pytest.mark.usefixtures("held")
def test_what_is_due_is_found_past_none_that_fell_due_before(hands: Hands) -> None:
    send = """SELECT dramatiq.send('bake', '{"loaf": 1}', delay => '1 millisecond') FROM generate_series(1, %s)"""
    run(hands.connection, send, MANY)
    done: list[Any] = []
    worked_off = 0
    while worked_off < MANY or done:
        done = exchange(hands, done)
        worked_off += len(done)
    assert next_due(hands) is None
    find_dear(hands, LEARNT)
    run(hands.connection, "BEGIN")
    before = entries_read(hands.connection, "dramatiq.queue_delayed")
    assert next_due(hands) is None
    assert exchange(hands, []) == []
    assert entries_read(hands.connection, "dramatiq.queue_delayed") - before <= NEAR


def test_what_committed_after_it_fell_due_is_found_by_a_look_at_all(
    hands: Hands, connect: Callable[[], Connection]
) -> None:
    sender = connect()
    run(sender, "BEGIN")
    hands.send("cold", key=None, delay="1 hour", connection=sender)
    run(sender, BE_DUE)
    find_dear(hands, "now()")
    run(sender, "COMMIT")
    assert hands.claim() == []
    find_dear(hands, "now()", whole_at="clock_timestamp()")
    assert hands.claim() == ["cold"]


def test_a_backlog_of_what_fell_due_is_made_due_part_by_part(hands: Hands) -> None:
    loaves = [str(number) for number in range(5)]
    hands.send(*loaves, key=None, delay="1 hour")
    run(hands.connection, BE_DUE)
    find_dear(hands, LONG_AGO)
    assert [hands.claim(limit=2) for _ in range(4)] == [["0", "1"], ["2", "3"], ["4"], []]


def test_a_clock_that_is_set_back_hides_nothing_that_is_due(hands: Hands) -> None:
    hands.send("cold", key=None, delay="1 hour")
    run(hands.connection, BE_DUE)
    find_dear(hands, FUTURE, whole_at=f"{FUTURE} + interval '1 second'")
    assert hands.claim() == ["cold"]


@pytest.mark.usefixtures("held")
def test_who_asks_when_something_falls_due_walks_nothing_that_was_hastened(hands: Hands) -> None:
    loaves = [str(number) for number in range(2 * NEAR)]
    hands.send(*loaves, key=None, delay="1 hour")
    run(hands.connection, "SELECT dramatiq.hasten(%s::uuid[])", list(hands.ids.values()))
    run(hands.connection, "BEGIN")
    before = entries_read(hands.connection, "dramatiq.queue_delayed")
    assert next_due(hands) is None
    assert entries_read(hands.connection, "dramatiq.queue_delayed") - before <= NEAR
