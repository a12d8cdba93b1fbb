"""Nobody walks a table that its statistics call empty: under a held snapshot it has the dead rows of all that was."""

from collections.abc import Callable

import pytest

from db import queries
from db.connection import Connection
from tests.integration.broker_cases import run
from tests.integration.held_cases import NEAR, entries_read, exchange
from tests.integration.line_cases import QUEUE, Hands

WORKED_OFF = 1000
DONE = 1000
END = """
    INSERT INTO dramatiq.done (message_id, queue_name, state, mtime, message)
    SELECT gen_random_uuid(), 'oven', 'done', now(), '{}' FROM generate_series(1, %s)
"""
START_OVER = """
    SELECT dramatiq.start_over(ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 100)),
                               (1000 * extract(epoch FROM now()))::bigint)
"""
BY_ID = ["dramatiq.live_pkey", "dramatiq.queue_claimed"]  # that an id, and a worker's claims, are looked up in


def read(conn: Connection) -> int:
    return sum(entries_read(conn, index) for index in BY_ID)


def send(hands: Hands, **how: str) -> None:
    hands.send("loaf", key=None, **how)


def claim(hands: Hands) -> None:
    assert hands.claim() == ["loaf"]


def ack(hands: Hands) -> None:
    hands.claim(done=["loaf"])


def finish(hands: Hands) -> None:
    assert queries.broker.finish(hands.connection, **hands.fence("loaf"))


def retry(hands: Hands) -> None:
    assert queries.broker.retry(hands.connection, **hands.fence("loaf"), options=None, delay=1000, error="not yet")


def reject(hands: Hands) -> None:
    assert queries.broker.reject(hands.connection, **hands.fence("loaf"), options=None, error="burnt")


def requeue(hands: Hands) -> None:
    assert queries.broker.requeue(hands.connection, **hands.fences("loaf")) == 1


def rescue_lost(hands: Hands) -> None:
    assert queries.broker.rescue_lost(hands.connection, **hands.fences("loaf"), most_rescues=10) == 1


def set_aside(hands: Hands) -> None:
    aside = {"actors": ["bake"], "signatures": [None], "known": ["knead"]}
    assert queries.broker.set_aside(hands.connection, queue=QUEUE, **hands.fences("loaf"), **aside)


def seal(hands: Hands) -> None:
    sealed = {"ids": [hands.ids["loaf"]], "contents": ['{"sealed": ""}'], "worker": hands.worker}
    assert queries.broker.seal(hands.connection, **sealed) == 1


def hasten(hands: Hands) -> None:
    run(hands.connection, "SELECT dramatiq.hasten(%s::uuid[])", [hands.ids["loaf"]])


@pytest.fixture
def emptied(hands: Hands, held: None) -> Hands:
    """A worker whose queue was worked off, and looked at by whoever keeps statistics."""
    run(hands.connection, """SELECT dramatiq.send('bake', '{"loaf": 1}') FROM generate_series(1, %s)""", WORKED_OFF)
    done = exchange(hands, [])
    while done:
        done = exchange(hands, done)
    run(hands.connection, "ANALYZE dramatiq.live")
    return hands


@pytest.mark.parametrize("change", [ack, finish, retry, reject, requeue, rescue_lost, set_aside, seal, hasten])
def test_a_message_that_is_held_is_found_by_its_id(emptied: Hands, change: Callable[[Hands], None]) -> None:
    send(emptied)
    claim(emptied)
    assert entries_of(emptied, change) <= NEAR


@pytest.mark.parametrize("how", [{}, {"delay": "1 hour"}], ids=["due", "delayed"])
def test_a_message_that_is_claimed_is_found_by_its_id(emptied: Hands, how: dict[str, str]) -> None:
    send(emptied, **how)
    run(emptied.connection, "UPDATE dramatiq.live SET available_at = now() - interval '1 second'")
    run(emptied.connection, "ANALYZE dramatiq.live")
    assert entries_of(emptied, claim) <= NEAR


def test_a_message_in_line_is_called_up_by_its_id(emptied: Hands) -> None:
    emptied.send("loaf")
    assert entries_of(emptied, claim) <= NEAR


def entries_of(hands: Hands, change: Callable[[Hands], None]) -> int:
    """That a change reads of the indexes by id."""
    run(hands.connection, "BEGIN")
    before = read(hands.connection)
    change(hands)
    entries = read(hands.connection) - before
    run(hands.connection, "COMMIT")
    return entries


@pytest.mark.parametrize("known", [0, 200, DONE], ids=["nothing yet", "a little", "all of it"])
def test_what_is_sent_is_compared_with_nothing_else_that_was_done_today(connection: Connection, known: int) -> None:
    """Whatever the statistics know of today when the plan is made, which lasts for as long as the session."""
    run(connection, END, known)
    run(connection, "ANALYZE dramatiq.done")
    run(connection, START_OVER)
    run(connection, END, DONE - known)
    [(today,)] = run(connection, "SELECT DISTINCT tableoid::regclass::text FROM dramatiq.done")
    run(connection, "BEGIN")
    before = entries_read(connection, today)
    run(connection, START_OVER)
    assert entries_read(connection, today) - before <= NEAR
