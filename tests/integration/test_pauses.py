"""A paused queue waits while others go on, loses nothing, and goes on at its time or when a person says so."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

import actors
from cli import main
from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("environment")

PAUSE = "SELECT dramatiq.pause_queue(%s, clock_timestamp() + %s * interval '1 second', 'anna', 'the provider asks')"
SOON = 1.5  # seconds


class Bakery:
    """Two queues, one of which somebody may pause; `done` has what ran, and when."""

    def __init__(self, broker: PostgresBroker) -> None:
        self.done: dict[str, datetime] = {}

        @dramatiq.actor(broker=broker, queue_name="oven")
        def bake(loaf: str) -> None:
            self.done[loaf] = datetime.now(UTC)

        @dramatiq.actor(broker=broker, queue_name="counter", pgmq_queue="orders")
        def sell(loaf: str) -> None:
            self.done[loaf] = datetime.now(UTC)

        self.bake, self.sell = bake, sell


@pytest.fixture
def bakery(broker: PostgresBroker, connection: Connection) -> Bakery:
    bakery = Bakery(broker)
    broker.publish_actors(connection)
    run(connection, "SELECT pgmq.create('orders')")
    return bakery


def told(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == exit_code, result.output
    return result.output


def test_a_paused_queue_waits_while_another_goes_on(bakery: Bakery, work: Any, connection: Connection) -> None:
    run(connection, PAUSE, "oven", 3600)
    bakery.bake.send("rye")
    bakery.bake.send_with_options(args=("wheat",), delay=1)
    work()
    for number in range(3):  # each is a look at both queues, and more
        bakery.sell.send(str(number))
        until(lambda number=number: str(number) in bakery.done)  # type: ignore[misc]
    assert not {"rye", "wheat"} & bakery.done.keys()
    assert run(connection, "SELECT dramatiq.resume_queue('oven')") == [(True,)]
    until(lambda: {"rye", "wheat"} <= bakery.done.keys())


def test_an_idle_worker_goes_on_by_itself_at_the_time_that_was_said(
    bakery: Bakery, work: Any, connection: Connection
) -> None:
    [(ends,)] = run(connection, "SELECT clock_timestamp() + %s * interval '1 second'", SOON)
    run(connection, "SELECT dramatiq.pause_queue('oven', %s, 'anna', 'the provider asks')", ends)
    bakery.bake.send("rye")
    work()
    until(lambda: "rye" in bakery.done)
    assert timedelta() <= bakery.done["rye"] - ends < timedelta(seconds=5)


def test_what_runs_goes_on_when_its_queue_is_paused(broker: PostgresBroker, work: Any, connection: Connection) -> None:
    ended = []

    @dramatiq.actor(broker=broker, queue_name="oven")
    def bake() -> None:
        run(connection, PAUSE, "oven", 3600)
        ended.append(True)

    bake.send()
    work()
    until(lambda: states(connection) == {"done": 1})
    assert ended == [True]


def test_what_waits_in_pgmq_comes_to_where_people_find_it_and_is_not_run(
    bakery: Bakery, work: Any, connection: Connection
) -> None:
    run(connection, PAUSE, "counter", 3600)
    run(connection, "SELECT pgmq.send('orders', jsonb_build_object('loaf', n::text)) FROM generate_series(1, 300) AS n")
    work()
    until(lambda: states(connection) == {"queued": 300})
    assert bakery.done == {}
    run(connection, "SELECT dramatiq.resume_queue('counter')")
    until(lambda: states(connection) == {"done": 300})
    assert bakery.done.keys() == {str(number) for number in range(1, 301)}


def test_a_worker_takes_nothing_along_from_a_paused_queue(connection: Connection) -> None:
    run(connection, "INSERT INTO dramatiq.queue (message_id, queue_name, state, message) VALUES "
        "(gen_random_uuid(), 'oven', 'queued', '{\"actor_name\": \"bake\", \"message_timestamp\": 0}')")  # fmt: skip
    along = "SELECT count(*) FROM dramatiq.take_along('oven', 'bake', 'none', 10)"
    assert run(connection, along) == [(1,)]
    run(connection, PAUSE, "oven", 3600)
    assert run(connection, along) == [(0,)]


def test_a_pause_that_is_over_leaves_no_trace(connection: Connection) -> None:
    run(connection, PAUSE, "oven", 0.2)
    until(lambda: run(connection, "SELECT count(*) FROM dramatiq.current_pause") == [(0,)])
    assert run(connection, "SELECT dramatiq.resume_queue('oven')") == [(False,)]
    run(connection, PAUSE, "oven", 0.2)
    until(lambda: run(connection, "SELECT dramatiq.purge_pauses()") == [(1,)])


def test_the_shell_pauses_shows_and_resumes(database: str, connection: Connection) -> None:
    actors.publish(database)
    assert "paused until" in told("queues", "pause", "emails", "--for", "1h", "--reason", "the provider asks")
    assert "the provider asks" in told("queues")
    [emails] = [row for row in json.loads(told("queues", "--json")) if row["queue"] == "emails"]
    assert emails["pause"]["reason"] == "the provider asks"
    [(seconds,)] = run(connection, "SELECT extract(epoch FROM until - since)::int FROM dramatiq.current_pause")
    assert abs(seconds - 3600) < 60
    assert "emails is paused until" in CliRunner().invoke(main, ["doctor"]).output
    assert "goes on" in told("queues", "resume", "emails", "--reason", "they are back")
    assert run(connection, "SELECT count(*) FROM dramatiq.pause") == [(0,)]


def test_a_late_queue_that_is_paused_is_not_told_as_late(connection: Connection) -> None:
    run(connection, "INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at) VALUES "
        "(gen_random_uuid(), 'oven', 'queued', '{}', now() - interval '1 hour')")  # fmt: skip
    assert run(connection, "SELECT * FROM dramatiq.unserved_queues()") == [("oven",)]
    run(connection, PAUSE, "oven", 3600)
    assert run(connection, "SELECT * FROM dramatiq.unserved_queues()") == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("pause", "nowhere", "--reason", "x"), "There is no queue 'nowhere'. There are: "),
        (("resume", "emails", "--reason", "x"), "Queue emails is not paused"),
        (("pause", "emails", "--for", "soon", "--reason", "x"), "'soon' is no span of time"),
        (("pause", "emails", "--until", "2020-01-01", "--reason", "x"), "is over"),
        (("pause", "emails"), "Say --reason"),
    ],
)
def test_what_cannot_be_done_fails_with_its_reason(database: str, words: tuple[str, ...], why: str) -> None:
    actors.publish(database)
    result = CliRunner().invoke(main, ["queues", *words])
    assert result.exit_code > 0
    assert why in result.output.replace("\n", " ")


def test_a_time_of_the_day_is_the_next_one_by_the_clinics_clocks(database: str, connection: Connection) -> None:
    actors.publish(database)
    told("queues", "pause", "emails", "--until", "18:30", "--reason", "the evening")
    [(clock, ahead)] = run(
        connection,
        "SELECT to_char(until AT TIME ZONE 'Europe/Moscow', 'HH24:MI'), until - now() BETWEEN '0' AND '1 day' "
        "FROM dramatiq.pause",
    )
    assert (clock, ahead) == ("18:30", True)
