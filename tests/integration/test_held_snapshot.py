"""A held snapshot keeps dead rows: neither a row that often changes nor a look for what is due is slower for it."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from db import queries
from db.connection import Connection
from tests.integration.broker_cases import run
from tests.integration.held_cases import BATCH, FUTURE, MANY, NEAR, entries_read, exchange
from tests.integration.line_cases import QUEUE, Hands

UPDATES = 300
MARGIN = 1000  # of dramatiq.note_heard


def beat(conn: Connection, number: int) -> None:
    assert queries.broker.heartbeat(conn, worker=7, host="h", pid=1, beats=number, abilities=["a"], hears=True) == (
        number > 0
    )


def look_as_scheduler(conn: Connection, number: int) -> None:
    queries.jobs.beat(conn, id=str(uuid.UUID(int=1)), host="h", pid=1, beats=number)


def take_place(conn: Connection, _: int) -> None:
    run(conn, "SELECT balansity.take_places('sendgrid', 1, '1 microsecond', '1 minute')")


def hold_mail(conn: Connection, _: int) -> None:
    run(conn, "SELECT balansity.hold_mail('sendgrid', '1 minute')")


def count(conn: Connection, _: int) -> None:
    assert queries.limits.count(conn, key="limiter", amount=1, low=0, high=10_000, ttl=3_600_000)


def ask_barrier(conn: Connection, number: int) -> None:
    count(conn, number)
    assert queries.limits.exists(conn, key="limiter")


def end_member(conn: Connection, number: int) -> None:
    queries.groups.begin(conn, group="family", members=10_000)
    assert not queries.groups.count_member(conn, group="family", member=str(uuid.UUID(int=number)))


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("dramatiq.worker", beat),
        ("dramatiq.beat", beat),
        ("balansity.scheduler", look_as_scheduler),
        ("balansity.mail_pace", take_place),
        ("balansity.mail_pace", hold_mail),
        ("dramatiq.counter", count),
        ("dramatiq.counter", ask_barrier),
        ("dramatiq.open_group", end_member),
    ],
)
def test_a_row_that_has_changed_often_is_found_at_once(
    connection: Connection, table: str, change: Callable[[Connection, int], None]
) -> None:
    for number in range(UPDATES):
        change(connection, number)
    run(connection, "BEGIN")  # in which the server adds its figures to none that others see
    before = entries_read(connection, table)
    change(connection, UPDATES)
    assert entries_read(connection, table) - before <= NEAR


def test_a_row_that_changes_often_stays_one(connection: Connection) -> None:
    """Each change leaves its earlier version dead."""
    for number in range(3):
        beat(connection, number)
        take_place(connection, number)
        count(connection, number)
    for table in ("dramatiq.beat", "balansity.mail_pace", "dramatiq.counter"):
        assert run(connection, f"SELECT count(*) FROM {table}") == [(1,)], table


def find_dear(hands: Hands, whole_at: str = FUTURE, put_off: int = 0) -> None:
    """Remember that a look at the whole queue takes long, and where the last began; what is acked next counts."""
    run(
        hands.connection,
        f"SELECT set_config('dramatiq.place_' || md5(%s), "
        f"ROW(0, now(), 0, {whole_at}, %s)::dramatiq.place::text, false)",
        QUEUE,
        put_off,
    )


def test_where_a_whole_look_is_dear_one_begins_behind_what_was_acked(hands: Hands) -> None:
    hands.send("first", key=None)
    assert hands.claim() == ["first"]
    hands.send("urgent", key=None, priority=5)
    hands.send("next", key=None)
    find_dear(hands)
    assert hands.claim(done=["first"]) == ["next"]
    assert hands.claim() == []


@pytest.mark.parametrize(
    ("whole_at", "put_off"),
    [("NULL", 0), ("clock_timestamp()", 20)],
    ids=["it is cheap", "twenty looks have put it off"],
)
def test_a_whole_look_finds_the_most_urgent_first(hands: Hands, whole_at: str, put_off: int) -> None:
    hands.send("first", key=None)
    assert hands.claim() == ["first"]
    hands.send("next", key=None)
    hands.send("urgent", key=None, priority=5)
    find_dear(hands, whole_at, put_off)
    assert hands.claim(done=["first"]) == ["urgent", "next"]


def test_where_nothing_waits_behind_it_the_whole_queue_is_looked_at(hands: Hands) -> None:
    hands.send("first", key=None)
    assert hands.claim() == ["first"]
    hands.send("urgent", key=None, priority=5)
    find_dear(hands, "clock_timestamp()")
    assert hands.claim(done=["first"]) == ["urgent"]


def test_a_stream_here_does_not_put_a_whole_look_off_for_ever(hands: Hands) -> None:
    hands.send("0", key=None)
    assert hands.claim() == ["0"]
    hands.send("urgent", key=None, priority=5)
    find_dear(hands, "clock_timestamp()")
    last, looks, claimed = "0", 0, [""]
    while "urgent" not in claimed:
        looks += 1
        hands.send(str(looks), key=None)
        claimed = hands.claim(limit=1, done=[last])
        last = claimed[0]
    assert looks == 20 + 1


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("key", ["NULL", "'loaf ' || number"], ids=["without keys", "with keys"])
def test_a_message_here_is_found_past_none_that_was_done_before(hands: Hands, key: str) -> None:
    loaf = "jsonb_build_object('loaf', number)"
    send = f"SELECT dramatiq.send('bake', {loaf}, key => {key}) FROM generate_series(1, %s) AS number"
    run(hands.connection, send, MANY)
    done: list[Any] = []
    for _ in range(MANY // BATCH + 1):
        done = exchange(hands, done)
    while run(hands.connection, "SELECT EXISTS (SELECT FROM dramatiq.changed_line)") == [(True,)]:
        assert exchange(hands, done) == done == []
    for _ in range(3):
        run(hands.connection, send, 1)
        run(hands.connection, "BEGIN")
        before = [entries_read(hands.connection, table) for table in ("dramatiq.live", "dramatiq.changed_line")]
        done = exchange(hands, done)
        after = [entries_read(hands.connection, table) for table in ("dramatiq.live", "dramatiq.changed_line")]
        run(hands.connection, "COMMIT")
        assert len(done) == 1
    assert after[0] - before[0] <= 4 * NEAR
    assert after[1] - before[1] <= 4 * MARGIN  # so many words may be of others who commit meanwhile
