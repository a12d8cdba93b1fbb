"""A person sees what workers do, where one hangs, and whose lock it waits for."""

import json
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

from cli import main
from db.connection import Connection, connect
from desk import running
from errors import BalansityError
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("environment")

SECRET = "a family's name"


def told(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, ["running", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.fixture
def hanging(
    broker: PostgresBroker, work: Callable[..., dramatiq.Worker], connection: Connection, database: str
) -> dramatiq.Message[Any]:
    """A message whose actor hangs on a lock of the database's, which `connection` holds."""
    run(connection, "SELECT pg_advisory_lock(1)")
    began = threading.Event()

    @dramatiq.actor(broker=broker, time_limit=90_000)
    def hang(family: str) -> None:
        with closing(connect(database)) as conn:
            began.set()
            wait_for_the_lock(conn, family)

    def wait_for_the_lock(conn: Connection, _family: str) -> None:
        run(conn, "SELECT pg_advisory_xact_lock(1)")

    message = hang.send_with_options(args=(SECRET,), time_limit=80_000)
    work(threads=2)
    assert began.wait(60)
    return message


def let_go(connection: Connection) -> None:
    run(connection, "SELECT pg_advisory_unlock(1)")
    until(lambda: states(connection) == {"done": 1})


def test_the_stack_of_an_actor_that_hangs_names_the_line_and_no_value(
    hanging: dramatiq.Message[Any], connection: Connection
) -> None:
    said = told("--stacks", hanging.message_id[:8])
    stacks = json.loads(told("--stacks", hanging.message_id, "--json"))["threads"]
    let_go(connection)
    [frames] = [each["frames"] for each in stacks if each["message"] == hanging.message_id]
    [hung] = [frame for frame in frames if "wait_for_the_lock" in frame]
    assert hung.startswith('File "tests/integration/test_running.py", line ')
    assert hung in said
    assert SECRET not in said
    assert SECRET not in json.dumps(stacks)


def test_what_runs_is_listed_with_its_worker_its_limit_and_whom_it_waits_for(
    hanging: dramatiq.Message[Any], connection: Connection
) -> None:
    until(lambda: running.blocked(connection))
    listed = json.loads(told("--json"))
    said = told()
    let_go(connection)
    [[one], [blocked]] = [listed["running"], listed["blocked"]]
    assert (one["id"], one["actor"], one["limit_seconds"], one["attempt"]) == (hanging.message_id, "hang", 80.0, 1)
    assert run(connection, "SELECT id FROM dramatiq.worker") == [(one["worker"],)]
    assert blocked["blocked_by"] == [connection.info.backend_pid]
    assert hanging.message_id[:8] in said
    assert "Sessions that wait for a lock" in said


def test_what_was_seen_is_forgotten_after_a_minute(connection: Connection) -> None:
    run(
        connection, "INSERT INTO dramatiq.look (worker, asked_at) VALUES (1, now() - interval '61 seconds'), (2, now())"
    )
    run(connection, "SELECT dramatiq.end_looks()")
    assert run(connection, "SELECT worker FROM dramatiq.look") == [(2,)]


def test_who_is_not_there_is_named(database: str) -> None:
    assert database
    assert "names no worker, and no message that one runs" in told("--stacks", "deadbeef", exit_code=1)


def test_a_worker_that_does_not_answer_is_told_as_such(connection: Connection) -> None:
    [(worker,)] = run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('gone', 1) RETURNING id")
    with pytest.raises(BalansityError, match=f"Worker {worker} has not answered"):
        running.stacks(worker, patience_seconds=0.2)
