"""A held snapshot keeps the entries of what was taken out: neither who takes more nor who counts walks them twice."""

from collections.abc import Callable
from typing import Any

import dramatiq
import pytest

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run
from tests.integration.held_cases import BATCH, FUTURE, MANY, NEAR, entries_read, exchange
from tests.integration.line_cases import QUEUE, Hands

SEND = "SELECT dramatiq.send('bake', jsonb_build_object('loaf', number)) FROM generate_series(1, %s) AS number"
FEW = 100


def take_along(conn: Connection) -> int:
    """As an actor does that works on what waits behind its own message; returns how many it took."""
    run(conn, "BEGIN")
    taken = run(
        conn, "SELECT message_id::text, msg_id FROM dramatiq.take_along(%s, 'bake', 'loaves', %s)", QUEUE, BATCH
    )
    ids, msg_ids = [row[0] for row in taken if row[0]], [row[1] for row in taken if row[1]]
    run(conn, "SELECT dramatiq.finish_along('loaves', %s::uuid[], %s::bigint[], false)", ids, msg_ids)
    run(conn, "COMMIT")
    return len(taken)


def carry(conn: Connection) -> int:
    """As a relay does."""
    return len(run(conn, "SELECT message FROM dramatiq.carry(%s, %s)", QUEUE, BATCH))


def create_loaves(conn: Connection) -> None:
    """A queue that is read by its indexes, as one that is not small."""
    run(conn, "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT pgmq.create('loaves')")


def entries_of(conn: Connection, index: str, look: Callable[[], Any]) -> int:
    run(conn, "BEGIN")
    before = entries_read(conn, index)
    look()
    entries = entries_read(conn, index) - before
    run(conn, "COMMIT")
    return entries


@pytest.fixture
def conn(hands: Hands, held: None) -> Connection:
    """Its session; the snapshot began before all that comes and goes."""
    return hands.connection


@pytest.mark.parametrize("take", [take_along, carry])
def test_a_message_is_taken_past_none_that_was_taken_before(
    conn: Connection, take: Callable[[Connection], int]
) -> None:
    run(conn, SEND, MANY)
    taken = 0
    while taken < MANY:
        taken += take(conn)
    assert take(conn) == 0
    run(conn, SEND, 1)
    assert entries_of(conn, "dramatiq.live", lambda: take(conn)) <= 4 * NEAR


def test_a_message_of_pgmq_is_taken_along_past_none_that_was_taken_before(conn: Connection) -> None:
    send = "SELECT pgmq.send('loaves', '{}', %s) FROM generate_series(1, %s)"
    create_loaves(conn)
    run(conn, send, -3600, FEW)
    assert take_along(conn) == FEW
    sight = f"ROW(clock_timestamp(), false, {FUTURE}, 0)::dramatiq.sight::text"
    run(conn, f"SELECT set_config('dramatiq.sight_' || 'pgmq.q_loaves'::regclass::oid, {sight}, false)")
    run(conn, send, 0, 1)
    assert entries_of(conn, "pgmq.q_loaves", lambda: take_along(conn)) <= NEAR


def test_in_a_backlog_what_is_taken_along_next_stands_behind_the_last(conn: Connection) -> None:
    create_loaves(conn)
    run(conn, "SELECT pgmq.send('loaves', '{}') FROM generate_series(1, %s)", 2 * BATCH)
    assert take_along(conn) == BATCH
    sight = f"ROW(NULL, true, {FUTURE}, 0)::dramatiq.sight::text"
    run(conn, f"SELECT set_config('dramatiq.sight_' || 'pgmq.q_loaves'::regclass::oid, {sight}, false)")
    assert entries_of(conn, "pgmq.q_loaves_pkey", lambda: take_along(conn)) <= 3 * BATCH + NEAR


def test_what_came_before_all_that_was_taken_is_found_by_a_look_at_all(hands: Hands) -> None:
    hands.send("late", key=None)
    place = f"ROW(0, {FUTURE}, 0, {{}}, 0)::dramatiq.place::text"
    remember = "SELECT set_config('dramatiq.place_' || md5(%s || ' to carry'), " + place + ", false)"
    run(hands.connection, remember.format(FUTURE), QUEUE)
    assert carry(hands.connection) == 0
    run(hands.connection, remember.format("clock_timestamp()"), QUEUE)
    assert carry(hands.connection) == 1


@pytest.mark.usefixtures("held")
def test_queues_are_counted_in_one_walk_each_over_what_is_due_and_what_runs(
    broker: PostgresBroker, hands: Hands
) -> None:
    for number in range(3):
        queue = f"oven_{number}"
        dramatiq.actor(broker=broker, actor_name=queue, queue_name=queue)(lambda loaf: loaf)
    broker.publish_actors(hands.connection)
    run(hands.connection, SEND, FEW)
    assert len(exchange(hands, exchange(hands, []))) == 0

    def count() -> None:
        run(hands.connection, "SELECT * FROM dramatiq.present()")

    for index in ("dramatiq.queue_due", "dramatiq.queue_claimed"):
        assert FEW <= entries_of(hands.connection, index, count) <= FEW + NEAR


def test_a_queue_that_nobody_knows_is_counted_wherever_its_name_stands(hands: Hands) -> None:
    strange = ["ladle", "nutmeg", "oven-proof", "whisk", "yeast"]
    queues = "INSERT INTO dramatiq.live (message_id, queue_name, state) SELECT gen_random_uuid(), unnest(%s), 'queued'"
    run(hands.connection, queues, strange)
    told = run(hands.connection, "SELECT queue_name FROM dramatiq.present() WHERE waiting = 1")
    assert [queue for (queue,) in told] == sorted(strange)
