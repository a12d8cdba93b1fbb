"""Where a look at a whole pgmq queue takes long, as past dead rows under a held snapshot, others find what it would."""

from typing import Any

import pytest

from db.connection import Connection
from tests.integration.broker_cases import run
from tests.integration.held_cases import FUTURE, NEAR, entries_read


def moved(conn: Connection, limit: int = 100) -> list[int]:
    """What the bridge moves in one look, by pgmq's ids."""
    run(conn, "SELECT * FROM dramatiq.bridge(NULL, 'analytics', 'analytics_queue', 'record_event', %s, 0)", limit)
    return [
        msg_id
        for (msg_id,) in run(
            conn,
            "DELETE FROM dramatiq.queue WHERE pgmq_queue = 'analytics_queue' RETURNING pgmq_msg_id",
        )
    ]


def remember(conn: Connection, **fields: Any) -> None:
    """What a session would remember of looks that took long."""
    given = {"since": "clock_timestamp()", "has_left": "false", "whole_at": FUTURE, "put_off": "0", **fields}
    memory = "'dramatiq.sight_' || 'pgmq.q_analytics_queue'::regclass::oid"
    run(
        conn,
        f"SELECT set_config({memory}, ROW({given['since']}, {given['has_left']}, {given['whole_at']}, "
        f"{given['put_off']})::dramatiq.sight::text, false)",
    )


def sent(conn: Connection, count: int = 1, payload: str = "{}") -> list[int]:
    return [
        msg_id
        for (msg_id,) in run(
            conn, "SELECT pgmq.send('analytics_queue', %s::jsonb) FROM generate_series(1, %s)", payload, count
        )
    ]


def let_fall(conn: Connection, msg_id: int) -> None:
    """As another worker does that took a message and was undone, or who committed long after he sent it."""
    run(conn, "UPDATE pgmq.q_analytics_queue SET vt = now() - interval '1 hour' WHERE msg_id = %s", msg_id)


def test_where_a_whole_look_takes_long_what_has_just_become_readable_is_found(connection: Connection) -> None:
    old, new = sent(connection, 2)
    let_fall(connection, old)
    remember(connection)
    assert moved(connection) == [new]
    run(connection, "SELECT pgmq.set_vt('analytics_queue', %s, 0)", old)  # another reader gives it back
    assert moved(connection) == [old]


@pytest.mark.parametrize(
    "fields",
    [
        {"whole_at": "clock_timestamp()"},
        {"whole_at": "NULL"},
        {"since": "clock_timestamp() - interval '1 minute'"},
        {"since": FUTURE},
        {"since": "NULL"},
    ],
    ids=["it is due", "it is cheap", "nothing is known of a minute", "a clock was set back", "nothing is known"],
)
def test_what_was_passed_over_is_found_by_a_look_at_the_whole_queue(
    connection: Connection, fields: dict[str, str]
) -> None:
    [old] = sent(connection)
    let_fall(connection, old)
    remember(connection)
    assert moved(connection) == []
    remember(connection, **fields)
    assert moved(connection) == [old]


def test_a_stream_of_finds_does_not_put_a_whole_look_off_for_ever(connection: Connection) -> None:
    [old] = sent(connection)
    let_fall(connection, old)
    remember(connection, whole_at="clock_timestamp()")
    looks = 0
    found: list[int] = []
    while old not in found:
        sent(connection)
        found = moved(connection)
        looks += 1
    assert looks == 20 + 1


def test_a_backlog_is_worked_off_behind_what_was_moved_last(connection: Connection) -> None:
    ids = sent(connection, 30)
    assert moved(connection, 10) == ids[:10]
    let_fall(connection, ids[10])
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"priority\": 9}')")
    remember(connection, since="NULL", has_left="true")
    assert moved(connection, 10) == ids[10:20]


def test_an_urgent_message_overtakes_a_backlog_at_the_next_whole_look(connection: Connection) -> None:
    ids = sent(connection, 30)
    assert moved(connection, 10) == ids[:10]
    [urgent] = sent(connection, payload='{"priority": 9}')
    remember(connection, since="NULL", has_left="true", whole_at="clock_timestamp()")
    assert moved(connection, 10) == [urgent, *ids[10:20]]


def test_at_a_backlogs_end_nothing_is_left(connection: Connection) -> None:
    ids = sent(connection, 12)
    assert moved(connection, 10) == ids[:10]
    let_fall(connection, ids[10])
    remember(connection, has_left="true")
    assert sorted([*moved(connection, 10), *moved(connection, 10), *moved(connection, 10)]) == ids[10:]


def test_what_a_rolled_back_look_remembers_is_undone(connection: Connection) -> None:
    ids = sent(connection, 30)
    remember(connection, has_left="true")
    run(connection, "BEGIN")
    assert moved(connection, 10) == ids[:10]
    run(connection, "ROLLBACK")
    assert moved(connection, 10) == ids[:10]


def test_a_queue_that_was_dropped_and_made_anew_is_looked_into_from_its_start(connection: Connection) -> None:
    sent(connection, 30)
    moved(connection)
    remember(connection, has_left="true")
    run(connection, "DROP VIEW pgmq.analytics_queue; SELECT pgmq.drop_queue('analytics_queue')")
    run(connection, "SELECT pgmq.create('analytics_queue')")
    assert moved(connection) == []
    assert sent(connection) == moved(connection) == [1]


@pytest.mark.usefixtures("held")
def test_a_look_reads_none_of_what_was_moved_before(connection: Connection) -> None:
    run(
        connection,
        "INSERT INTO pgmq.q_analytics_queue (vt, message) "
        "SELECT now() - interval '1 hour', '{}' FROM generate_series(1, 1000)",
    )
    assert len(moved(connection, 1000)) == 1000
    for rest in ("false", "true"):
        remember(connection, has_left=rest)
        [new] = sent(connection)
        run(connection, "BEGIN")
        before = entries_read(connection, "pgmq.q_analytics_queue")
        assert moved(connection) == [new]
        assert entries_read(connection, "pgmq.q_analytics_queue") - before <= NEAR
        run(connection, "COMMIT")


def test_a_resting_worker_hears_of_what_became_readable_lately_and_of_the_rest_now_and_then(
    connection: Connection,
) -> None:
    asked = "SELECT dramatiq.is_any_visible('analytics_queue')"
    assert run(connection, asked) == [(False,)]
    [old] = sent(connection)
    assert run(connection, asked) == [(True,)]
    let_fall(connection, old)
    memory = "'dramatiq.glance_' || 'pgmq.q_analytics_queue'::regclass::oid"
    run(connection, f"SELECT set_config({memory}, ({FUTURE})::text, false)")
    assert run(connection, asked) == [(False,)]
    run(connection, f"SELECT set_config({memory}, clock_timestamp()::text, false)")
    assert run(connection, asked) == [(True,)]
