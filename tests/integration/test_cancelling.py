"""A person cancels what waits and what runs, and discards what is given up."""

import json
import threading
import time
from getpass import getuser
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

import actors
from broker import broker as application
from cli import main
from db.connection import Connection
from messaging.broker import PostgresBroker
from messaging.cancelling import Cancelled, Interruption
from tests.integration.broker_cases import run, states
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("environment")

MANY = 5_000
PAUSED = 1_500  # more than one claim moves
FILL = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, message, delayed)
    SELECT gen_random_uuid(), 'emails', 'queued',
           jsonb_build_object('actor_name', 'send_email', 'kwargs', jsonb_build_object('to', 'x')), mod(n, 2) = 0
    FROM generate_series(1, %s) AS n
"""
CANCEL = "SELECT cancelled, asked FROM dramatiq.cancel(ARRAY[%s::uuid], 'anna', 'sent by mistake')"


def told(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == exit_code, result.output
    return result.output


def state(connection: Connection, message_id: str) -> tuple[str, str | None]:
    [row] = run(connection, "SELECT state::text, error FROM dramatiq.queue WHERE message_id = %s", message_id)
    return row[0], row[1]


def test_five_thousand_waiting_mails_are_cancelled_by_one_command(database: str, connection: Connection) -> None:
    actors.publish(database)
    run(connection, FILL, MANY)
    run(connection, FILL.replace("'emails'", "'reports'"), 3)
    said = told("cancel", "--queue", "emails", "--reason", "sent by mistake", "--yes")
    assert f"{MANY} messages, of which 5" in said
    assert f"{MANY} cancelled." in said
    assert states(connection) == {"cancelled": MANY, "queued": 3}
    assert json.loads(told("messages", "--state", "cancelled", "--json"))["total"] == MANY
    assert run(connection, "SELECT count(*) FROM dramatiq.dead_letter") == [(0,)]
    assert run(connection, "SELECT sum(count), min(reason) FROM balansity.operator_action") == [
        (MANY, "sent by mistake")
    ]


def test_what_came_through_pgmq_is_cancelled_whole_while_its_queue_is_paused(
    environment: pytest.MonkeyPatch, database: str, connection: Connection
) -> None:
    actors.publish(database)
    why = ("--reason", "sent by mistake")
    told("queues", "pause", "emails", *why)
    run(
        connection,
        "SELECT pgmq.send('email_queue', jsonb_build_object('to', 'x@example.com', 'subject', 's', 'template', 't'))"
        " FROM generate_series(1, %s)",
        PAUSED,
    )
    worker = dramatiq.Worker(application, queues={"emails"}, worker_timeout=100, worker_threads=2)
    worker.start()
    try:
        until(lambda: run(connection, "SELECT count(*) FROM pgmq.q_email_queue") == [(0,)], "pgmq is empty")
        assert f"{PAUSED} cancelled." in told("cancel", "--queue", "emails", *why, "--yes")
        told("queues", "resume", "emails", *why)
    finally:
        worker.stop()
    assert states(connection) == {"cancelled": PAUSED}
    assert run(connection, "SELECT count(*) FROM balansity.delivery") == [(0,)]


def test_without_a_yes_nothing_is_cancelled(database: str, connection: Connection) -> None:
    actors.publish(database)
    run(connection, FILL, 3)
    assert "say --yes" in told("cancel", "--queue", "emails", "--reason", "x", exit_code=2)
    assert states(connection) == {"queued": 3}


def test_a_running_actor_that_sleeps_ends_within_seconds_and_is_not_retried(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    began = threading.Event()
    ended: list[type[BaseException] | None] = []

    @dramatiq.actor(broker=broker, max_retries=5, min_backoff=1)
    def doze() -> None:
        try:
            began.set()
            while True:
                time.sleep(0.01)
        except BaseException as error:
            ended.append(type(error))
            raise

    @dramatiq.actor(broker=broker)
    def work_on() -> None:
        ended.append(None)

    message = doze.send()
    work(threads=1)
    assert began.wait(60)
    assert run(connection, CANCEL, message.message_id) == [(0, 1)]
    until(lambda: states(connection) == {"cancelled": 1}, seconds=15)
    assert state(connection, message.message_id) == ("cancelled", "Cancelled by anna: sent by mistake")
    work_on.send()
    until(lambda: ended == [Cancelled, None], "the thread goes on with what comes next")
    assert run(connection, "SELECT count(*) FROM dramatiq.cancellation") == [(0,)]


def test_a_run_that_ends_well_before_it_is_noticed_is_done(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker)
    def bake() -> None:
        run(connection, CANCEL, message.message_id)

    message = bake.send()
    work()
    until(lambda: states(connection) == {"done": 1})
    until(lambda: run(connection, "SELECT count(*) FROM dramatiq.cancellation") == [(0,)])


def test_a_run_that_fails_by_itself_after_it_was_asked_to_end_is_not_tried_again(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker, max_retries=5, min_backoff=1)
    def bake() -> None:
        run(connection, CANCEL, message.message_id)
        raise ValueError("raw")

    message = bake.send()
    work()
    until(lambda: states(connection) == {"cancelled": 1})


def test_what_a_dead_worker_held_is_cancelled_and_not_run_again(connection: Connection) -> None:
    [(worker,)] = run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('gone', 1) RETURNING id")
    run(connection, FILL, 1)
    run(connection, "UPDATE dramatiq.queue SET delayed = false")
    [(message_id, *_)] = run(connection, "SELECT * FROM dramatiq.exchange(%s, 'emails', '{}', '{}', 1)", worker)
    assert run(connection, CANCEL, message_id) == [(0, 1)]
    run(connection, "SELECT dramatiq.rescue(ARRAY[%s]::bigint[], ARRAY[0]::bigint[], 10)", worker)
    assert state(connection, message_id)[0] == "cancelled"


def test_what_was_cancelled_goes_back_to_work_by_its_id(database: str, connection: Connection) -> None:
    actors.publish(database)
    run(connection, FILL, 1)
    [(message_id,)] = run(connection, "SELECT message_id::text FROM dramatiq.queue")
    told("cancel", message_id[:8], "--reason", "sent by mistake")
    assert state(connection, message_id) == ("cancelled", f"Cancelled by {getuser()}: sent by mistake")
    told("redrive", message_id[:8], "--reason", "a test")
    assert state(connection, message_id) == ("queued", None)


def test_one_kind_of_failure_goes_back_to_work_alone(database: str, connection: Connection) -> None:
    actors.publish(database)
    run(connection, FILL, 4)
    run(connection, "UPDATE dramatiq.queue SET state = 'rejected', "
        "error = CASE WHEN delayed THEN 'ValueError: raw' ELSE 'KeyError: gone' END")  # fmt: skip
    kinds = {each["kind"]: each["id"] for each in json.loads(told("failures", "--json"))}
    assert "2 sent back" in told("redrive", "--failure", kinds["ValueError: raw"], "--yes", "--reason", "a test")
    assert run(connection, "SELECT DISTINCT error FROM dramatiq.dead_letter") == [("KeyError: gone",)]


def test_what_is_given_up_is_deleted_for_good_and_nothing_else(database: str, connection: Connection) -> None:
    actors.publish(database)
    run(connection, FILL, 4)
    run(connection, "UPDATE dramatiq.queue SET state = 'rejected' WHERE delayed")
    assert "2 discarded" in told("discard", "--queue", "emails", "--reason", "of no use", "--yes")
    assert states(connection) == {"queued": 2}
    log = "SELECT action, count, reason FROM balansity.operator_action"
    assert run(connection, log) == [("discard", 2, "of no use")]


def test_the_ledger_says_of_a_planned_mail_that_a_person_cancelled_it(database: str, connection: Connection) -> None:
    actors.publish(database)
    run(connection, FILL, 2)
    run(
        connection,
        "INSERT INTO balansity.delivery (key, template, message_id, planned_at, changed_at) "
        "SELECT message_id::text, 'report_ready', message_id::text, now(), now() FROM dramatiq.queue",
    )
    run(connection, "UPDATE dramatiq.queue SET queue_name = 'reports' WHERE delayed")
    told("cancel", "--queue", "emails", "--reason", "sent by mistake", "--yes")
    mails = "SELECT state, reason FROM balansity.delivery ORDER BY state"
    assert run(connection, mails) == [("planned", None), ("superseded", "cancelled by a person")]
    [(swept,)] = run(
        connection,
        "SELECT balansity.give_up_lost_deliveries(ARRAY(SELECT id FROM balansity.delivery), now() + interval '1 hour')",
    )
    assert swept == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("cancel", "deadbeef", "--reason", "x"), 1, "There is no message 'deadbeef'"),
        (("cancel", "--queue", "nowhere", "--reason", "x", "--yes"), 1, "There is no such message."),
        (("cancel", "--reason", "x", "--yes"), 2, "Name message ids, or say which"),
        (("discard", "--failure", "deadbeef", "--reason", "x", "--yes"), 1, "No kind of failure is called"),
        (("redrive", "--failure", "deadbeef", "--reason", "x"), 1, "No kind of failure is called"),
    ],
)
def test_what_cannot_be_done_fails_with_its_reason(database: str, words: tuple[str, ...], code: int, why: str) -> None:
    actors.publish(database)
    assert why in told(*words, exit_code=code).replace("\n", " ")


def test_an_interruption_that_comes_late_lands_in_the_run_that_it_is_meant_for() -> None:
    """However the two threads meet, what is raised is raised before `end` returns, or never."""
    for _ in range(300):
        interruption = Interruption()
        interruption.begin()
        other = threading.Thread(target=interruption.come)
        came_early = False
        try:
            other.start()
        except Cancelled:
            came_early = True
        interruption.end()
        other.join()
        assert not interruption.come()
        assert interruption.came or not came_early
