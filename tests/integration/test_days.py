"""What is done lies in the table of its day, and every promise about a message holds beside that: ids, fences, keys."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import psycopg2
import pytest

import actors
from actors.messages import purge
from checks.queues import days
from db import queries
from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.clinic import Clinic
from tests.integration.broker_cases import blocked, message_with, run, states
from tests.waiting import until

WHERE = "SELECT tableoid::regclass::text FROM dramatiq.queue WHERE message_id = %s"
TABLES = """
    SELECT inhrelid::regclass::text FROM pg_inherits
    WHERE inhparent = 'dramatiq.done'::regclass AND inhrelid <> 'dramatiq.done_other'::regclass ORDER BY 1
"""
KEYED = """SELECT dramatiq.send('write', '{"to": "all"}', unique_key => 'letter 1')::text"""
BEHIND = """
    SELECT message_id::text, attempt
    FROM dramatiq.exchange(%s, 'default', %s::uuid[], %s::integer[], 1, p_after => %s::uuid)
"""
ATTEMPTS = "SELECT state::text, attempt FROM dramatiq.queue WHERE message_id = %s"


@pytest.fixture
def worker(connection: Connection) -> int:
    return int(run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('here', 1) RETURNING id")[0][0])


@pytest.fixture
def write(broker: PostgresBroker, connection: Connection) -> dramatiq.Actor[..., Any]:
    @dramatiq.actor(broker=broker)
    def write(to: str) -> None:
        pass

    broker.publish_actors(connection)
    return write


def table_of(days_ago: int) -> str:
    return f"dramatiq.done_{datetime.now(UTC) - timedelta(days=days_ago):%Y%m%d}"


def make(connection: Connection, days_ago: int) -> None:
    run(connection, "SELECT dramatiq.make_day((now() AT TIME ZONE 'UTC')::date - %s)", days_ago)


def claim(connection: Connection, worker: int) -> list[tuple[str, int]]:
    rows = run(
        connection, "SELECT message_id::text, attempt FROM dramatiq.exchange(%s, 'default', '{}', '{}', 9)", worker
    )
    return list(rows)


def ack(connection: Connection, worker: int, message_id: str, attempt: int) -> None:
    ack = "SELECT * FROM dramatiq.exchange(%s, 'default', ARRAY[%s]::uuid[], ARRAY[%s], 0)"
    run(connection, ack, worker, message_id, attempt)


def done_before(connection: Connection, days_ago: int, attempt: int = 3) -> dramatiq.Message[Any]:
    """A message of that day that was done on it, at its third attempt."""
    make(connection, days_ago)
    ended = datetime.now(UTC) - timedelta(days=days_ago)
    built = int(1000 * (ended - timedelta(seconds=2)).timestamp())
    message = message_with(actor_name="write", args=("all",), message_timestamp=built)
    add = "INSERT INTO dramatiq.queue (message_id, state, mtime, attempt, message) VALUES (%s, 'done', %s, %s, %s)"
    run(connection, add, message.message_id, ended, attempt, json.dumps(message.asdict()))
    assert run(connection, WHERE, message.message_id) == [(table_of(days_ago),)]
    return message


def send_alone(broker: PostgresBroker, message: dramatiq.Message[Any]) -> None:
    broker.enqueue(message)


def send_delayed(broker: PostgresBroker, message: dramatiq.Message[Any]) -> None:
    broker.enqueue(message, delay=1)


def send_among_others(broker: PostgresBroker, message: dramatiq.Message[Any]) -> None:
    broker.enqueue_many([*(message_with(actor_name="write", queue_name="others") for _ in range(99)), message])


WAYS = pytest.mark.parametrize("send", [send_alone, send_delayed, send_among_others])
Send = Callable[[PostgresBroker, dramatiq.Message[Any]], None]


def test_what_is_done_moves_to_its_day(write: dramatiq.Actor[..., Any], connection: Connection, worker: int) -> None:
    message_id = write.send("all").message_id
    assert run(connection, WHERE, message_id) == [("dramatiq.live",)]
    ack(connection, worker, *claim(connection, worker)[0])
    assert run(connection, WHERE, message_id) == [(table_of(0),)]


def test_a_claim_begins_behind_one_that_is_done_by_now(write: Any, connection: Connection, worker: int) -> None:
    first, second = (write.send("all").message_id for _ in range(2))
    [(claimed, attempt)] = run(connection, BEHIND, worker, [], [], None)
    assert claimed == first
    [(claimed, _)] = run(connection, BEHIND, worker, [first], [attempt], first)
    assert claimed == second
    third = write.send("all").message_id
    assert [each for each, _ in run(connection, BEHIND, worker, [], [], first)] == [third]


def test_days_are_made_ahead_and_visitors_may_not_read_them(connection: Connection) -> None:
    assert run(connection, TABLES) == [(table_of(-ahead),) for ahead in range(4)]
    assert run(connection, f"SELECT relacl::text LIKE '{{=%%' FROM pg_class WHERE oid = '{table_of(0)}'::regclass") != [
        (True,)
    ]


@WAYS
@pytest.mark.parametrize("days_ago", [0, 1, 5])
def test_what_was_done_starts_over_under_a_new_fence(
    broker: PostgresBroker, write: Any, connection: Connection, *, worker: int, send: Send, days_ago: int
) -> None:
    message = done_before(connection, days_ago)
    send(broker, message)
    assert run(connection, ATTEMPTS, message.message_id) == [("queued", 4)]
    until(lambda: claim(connection, worker) == [(message.message_id, 5)])
    for late in (1, 3, 4):
        ack(connection, worker, message.message_id, late)
    assert run(connection, ATTEMPTS, message.message_id) == [("consumed", 5)]
    ack(connection, worker, message.message_id, 5)
    assert run(connection, ATTEMPTS, message.message_id) == [("done", 5)]


@WAYS
def test_what_ends_while_it_is_sent_anew_starts_over_as_well(
    broker: PostgresBroker,
    write: Any,
    connection: Connection,
    connect: Callable[[], Connection],
    *,
    worker: int,
    send: Send,
) -> None:
    message = message_with(actor_name="write", args=("all",), message_timestamp=int(1000 * time.time()) - 2_000)
    broker.enqueue(message)
    [(message_id, attempt)] = claim(connection, worker)
    ending = connect()
    run(ending, "BEGIN")
    ack(ending, worker, message_id, attempt)
    sender = threading.Thread(target=send, args=[broker, message])
    sender.start()
    until(lambda: blocked(connection) == 1, "the sender waits for the ack")
    run(ending, "COMMIT")
    sender.join()
    assert run(connection, ATTEMPTS, message_id) == [("queued", attempt + 1)]


def test_a_first_try_whose_answer_was_lost_is_not_made_twice_though_its_message_is_done(
    write: Any, connection: Connection
) -> None:
    just_now, yesterday = done_before(connection, 0), done_before(connection, 1)
    for message in (just_now, yesterday):
        fields = {"messages": message.encode().decode(), "priorities": [0], "lines": [None], "built": 0}
        queries.broker.enqueue(connection, **fields, delay=0, tried=60_000)
    assert run(connection, ATTEMPTS, just_now.message_id) == [("done", 3)]
    assert run(connection, ATTEMPTS, yesterday.message_id) == [("queued", 4)]


def test_sending_again_finds_it_whenever_it_was_done(write: Any, connection: Connection) -> None:
    message = done_before(connection, 6)
    assert run(connection, "SELECT dramatiq.send_again(%s)", message.message_id) == [(True,)]
    assert run(connection, ATTEMPTS, message.message_id) == [("queued", 4)]
    assert run(connection, "SELECT dramatiq.send_again(%s)", str(uuid.uuid4())) == [(False,)]


def test_what_is_asked_of_a_message_is_answered_on_whatever_day_it_was_done(write: Any, connection: Connection) -> None:
    message = done_before(connection, 2)
    asked = (
        "SELECT dramatiq.sent_at(id), dramatiq.due_since(id), dramatiq.trace_of(id) FROM (VALUES (%s)) AS message (id)"
    )
    [(sent_at, due_since, trace)] = run(connection, asked, message.message_id)
    assert sent_at == datetime.fromtimestamp(message.message_timestamp / 1000, UTC)
    assert due_since is not None
    assert trace == message.message_id.replace("-", "")
    assert run(connection, "SELECT dramatiq.is_pending(%s)", message.message_id) == [(False,)]


class TestUniqueKeys:
    def test_it_stays_taken_for_as_long_as_its_message_is_kept(
        self, write: Any, connection: Connection, worker: int
    ) -> None:
        [(first,)] = run(connection, KEYED)
        ack(connection, worker, *claim(connection, worker)[0])
        assert run(connection, KEYED) == [(first,)]
        make(connection, 9)
        run(connection, "UPDATE dramatiq.queue SET mtime = now() - interval '9 days'")
        assert run(connection, WHERE, first) == [(table_of(9),)]
        assert run(connection, KEYED) == [(first,)]
        assert run(connection, "SELECT dramatiq.drop_day((now() AT TIME ZONE 'UTC')::date - 9)") == [(1,)]
        assert run(connection, "SELECT count(*) FROM dramatiq.taken_key") == [(0,)]
        assert run(connection, KEYED) != [(first,)]

    @pytest.mark.parametrize("state", ["queued", "rejected", "done"])
    def test_it_goes_with_its_message_however_that_is_removed(
        self, write: Any, connection: Connection, state: str
    ) -> None:
        [(first,)] = run(connection, KEYED)
        run(connection, "UPDATE dramatiq.queue SET state = %s", state)
        assert run(connection, KEYED) == [(first,)]
        run(connection, "DELETE FROM dramatiq.queue")
        assert run(connection, "SELECT count(*) FROM dramatiq.taken_key") == [(0,)]

    def test_one_that_outlived_its_message_is_taken_by_one_of_two_senders(
        self, write: Any, connection: Connection, connect: Callable[[], Connection]
    ) -> None:
        [(lost,)] = run(connection, KEYED)
        run(connection, "TRUNCATE dramatiq.queue")
        other = connect()
        run(other, "BEGIN")
        [(taken,)] = run(other, KEYED)
        found: list[str] = []
        sender = threading.Thread(target=lambda: found.extend(run(connect(), KEYED)[0]))
        sender.start()
        until(lambda: blocked(connection) == 1)
        run(other, "COMMIT")
        sender.join()
        assert found == [taken] != [lost]


class TestDays:
    @pytest.fixture(autouse=True)
    def published(self, database: str, environment: pytest.MonkeyPatch) -> None:
        actors.publish(database)

    def test_one_that_is_over_is_dropped_with_what_it_holds(self, clinic: Clinic) -> None:
        for days_ago in (6, 8, 9):
            for _ in range(2):
                done_before(clinic.connection, days_ago)
        assert purge(datetime.now(UTC)) == "4 messages purged"
        assert [table for (table,) in clinic.rows(TABLES)][:2] == [table_of(6), table_of(0)]
        assert states(clinic.connection) == {"done": 2}

    def test_one_that_somebody_reads_is_named_and_dropped_later(
        self, clinic: Clinic, connect: Callable[[], Connection]
    ) -> None:
        message, reader = done_before(clinic.connection, 9), connect()
        run(reader, "BEGIN")
        run(reader, "SELECT FROM dramatiq.queue WHERE message_id = %s", message.message_id)
        named = f"day {datetime.now(UTC) - timedelta(days=9):%Y-%m-%d}"
        assert purge(datetime.now(UTC)) == f"0 messages purged; 1 skipped: {named} (LockNotAvailable)"
        assert run(reader, "SELECT count(*) FROM dramatiq.queue") == [(1,)]
        run(reader, "COMMIT")
        assert purge(datetime.now(UTC)) == "1 messages purged"

    def test_a_missing_one_loses_nothing_is_told_and_begins_behind_what_ended_before(
        self, write: Any, clinic: Clinic, worker: int
    ) -> None:
        for (table,) in clinic.rows(TABLES):
            clinic.rows(f"DROP TABLE {table}")
        first, second = write.send("all").message_id, write.send("all").message_id
        claims = dict(claim(clinic.connection, worker))
        ack(clinic.connection, worker, first, claims[first])
        assert clinic.rows(WHERE, first) == [("dramatiq.done_other",)]
        assert [finding.verdict for finding in days(clinic.connection)] == ["note"]
        purge(datetime.now(UTC))
        assert [table for (table,) in clinic.rows(TABLES)] == [table_of(-ahead) for ahead in range(4)]
        ack(clinic.connection, worker, second, claims[second])
        assert clinic.rows(WHERE, second) == [(table_of(0),)]
        assert clinic.rows(WHERE, first) == [("dramatiq.done_other",)]
        clinic.rows("UPDATE dramatiq.queue SET mtime = now() - interval '9 days' WHERE message_id = %s", first)
        assert purge(datetime.now(UTC)) == "1 messages purged"
        assert [finding.verdict for finding in days(clinic.connection)] == ["good"]

    def test_making_one_waits_for_no_ack_and_no_reader_of_other_days(
        self, write: Any, connection: Connection, connect: Callable[[], Connection], worker: int
    ) -> None:
        write.send("all")
        busy = connect()
        run(busy, "BEGIN")
        ack(busy, worker, *claim(connection, worker)[0])
        run(busy, f"SELECT FROM {table_of(0)}")
        run(connection, "SET lock_timeout = 1")
        make(connection, -9)
        run(busy, "ROLLBACK")

    def test_none_is_made_or_dropped_by_whoever_only_sends(self, connection: Connection) -> None:
        for role, makes in (("balansity_worker", True), ("balansity_web", False)):
            for function in ("make_day(date)", "drop_day(date)"):
                may = "SELECT has_function_privilege(%s, 'dramatiq.' || %s, 'EXECUTE')"
                assert run(connection, may, role, function) == [(makes,)]
        run(connection, "SET ROLE balansity_worker")
        make(connection, -9)
        run(connection, "SELECT dramatiq.drop_day((now() AT TIME ZONE 'UTC')::date + 9)")
        run(connection, "SET ROLE balansity_web")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            make(connection, -9)
