"""dramatiq-pg's own command on our table: what it counts, deletes and recovers is the truth."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dramatiq
import pytest
from psycopg2.extensions import make_dsn, parse_dsn

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, run, states
from tests.waiting import until

Command = Callable[..., str]


@pytest.fixture
def command(database: str) -> Command:
    """Runs `dramatiq-pg`; gives what it printed and logged."""
    program = str(Path(sys.executable).with_name("dramatiq-pg"))
    dsn = make_dsn(**parse_dsn(database), options="-c timezone=UTC")  # it compares times without their zone

    def run_it(*arguments: str) -> str:
        done = subprocess.run([program, "--dsn", dsn, *arguments], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    return run_it


@pytest.fixture
def note(broker: PostgresBroker) -> dramatiq.Actor[[int], None]:
    @dramatiq.actor(broker=broker, max_retries=0)
    def note(number: int) -> None:
        if number < 0:
            raise ValueError(number)

    return note


def test_stats_counts_every_state(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker], note: dramatiq.Actor[[int], None], command: Command
) -> None:
    for number in (1, 2, -1):
        note.send(number)
    worker = work()
    broker.join("default", timeout=PATIENCE)
    worker.stop()
    note.send_with_options(args=(3,), delay=PATIENCE)
    assert "queued: 1\nconsumed: 0\ndone: 2\nrejected: 1\n" in command("stats")


def test_purge_deletes_what_ended_long_ago(
    note: dramatiq.Actor[[int], None], connection: Connection, command: Command
) -> None:
    for number in range(4):
        note.send(number)
    run(connection, "UPDATE dramatiq.queue SET state = 'done' WHERE mod(position, 2) = 0")
    run(connection, "UPDATE dramatiq.queue SET mtime = now() - interval '31 days' WHERE position > 2")
    assert "Deleted 1 messages" in command("purge")
    assert states(connection) == {"queued": 2, "done": 1}


def test_recover_requeues_what_was_claimed_long_ago_and_the_late_ack_changes_nothing(
    broker: PostgresBroker, note: dramatiq.Actor[[int], None], connection: Connection, command: Command
) -> None:
    message = note.send(1)
    [(worker,)] = run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('here', 1) RETURNING id")
    claim = "SELECT attempt FROM dramatiq.exchange(%s, 'default', '{}', '{}', 1)"
    assert run(connection, claim, worker) == [(1,)]
    assert "Recovered 0 messages" in command("recover")
    run(connection, "UPDATE dramatiq.queue SET mtime = now() - interval '2 minutes'")
    assert "Recovered 1 messages" in command("recover")
    assert run(connection, claim, worker) == [(2,)]
    run(
        connection,
        "SELECT * FROM dramatiq.exchange(%s, 'default', ARRAY[%s]::uuid[], '{1}', 0)",
        worker,
        message.message_id,
    )
    assert states(connection) == {"consumed": 1}


def test_flush_deletes_what_waits_and_runs(
    broker: PostgresBroker,
    work: Callable[..., dramatiq.Worker],
    note: dramatiq.Actor[[int], None],
    connection: Connection,
    command: Command,
) -> None:
    for number in range(3):
        note.send_with_options(args=(number,), delay=PATIENCE)
    assert "Flushed 3 messages" in command("flush")
    assert states(connection) == {}
    note.send(4)
    work()
    until(lambda: states(connection) == {"done": 1})
