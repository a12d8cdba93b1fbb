"""The broker is whole without the clinic: a bakery, on the broker's own migrations, has all that is promised."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.results import ResultFailure

from db.connection import Connection, connect
from db.migrate import BROKER, migrate
from tests.integration.broker_cases import PATIENCE, run
from tests.servers import shared_postgres
from tests.tiny import app
from tests.waiting import until

ROOT = Path(__file__).parents[2]
FOREIGN = {"actors", "broker", "domain", "gateways", "mail", "reports", "scheduler", "settings", "web"}
BAKERY = """
CREATE SCHEMA bakery;
CREATE TABLE bakery.done (what text, pid integer, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION bakery.speaks_of(message text, arguments jsonb, subject jsonb) RETURNS boolean
LANGUAGE sql RETURN arguments ->> 'loaf' = subject ->> 'loaf';
"""


@pytest.fixture(scope="module")
def address(server: str) -> Iterator[str]:
    """A database that the broker's own migrations made, which the bakery's settings name."""
    with shared_postgres.database(server, "template0") as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("BAKERY_DATABASE", url)
        migrate(url, (BROKER,))
        yield url
        app.broker.close()


@pytest.fixture(scope="module")
def bakery(address: str) -> Iterator[Connection]:
    """The bakery at work: its table, its published actors and a worker process for its oven and its counter."""
    clinics = dramatiq.get_broker()
    with closing(connect(address)) as conn:
        conn.autocommit = True
        run(conn, BAKERY)
        app.broker.publish_actors(conn, retire=True)
        dramatiq.set_broker(app.broker)
        with hired("oven", "counter"):
            yield conn
        dramatiq.set_broker(clinics)


@contextmanager
def hired(*queues: str, threads: int = 4) -> Iterator[subprocess.Popen[bytes]]:
    """One worker process, until the end of the block."""
    command = [sys.executable, "-m", "dramatiq", "tests.tiny.app:broker", "--processes", "1"]
    options = ["--threads", str(threads), "--queues", *queues]
    with subprocess.Popen([*command, *options], cwd=ROOT, start_new_session=True) as worker:
        yield worker
        os.killpg(worker.pid, signal.SIGKILL)


def done(bakery: Connection, what: str) -> list[tuple[Any, ...]]:
    """The process and the time of each deed so noted."""
    return [tuple(row) for row in run(bakery, "SELECT pid, at FROM bakery.done WHERE what = %s ORDER BY at", what)]


@pytest.fixture
def loaf() -> str:
    """The name of a loaf that no other test bakes."""
    return f"loaf {uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("module", ["messaging.broker", "tests.tiny.app"])
def test_the_broker_imports_no_settings_and_nothing_of_the_clinic(module: str) -> None:
    look = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert module in loaded.split()
    assert not FOREIGN & {name.split(".")[0] for name in loaded.split()}
    assert "db.database" not in loaded.split()


def test_its_database_holds_nothing_of_the_clinic(bakery: Connection) -> None:
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    assert {row[0] for row in run(bakery, schemas)} == {"bakery", "dramatiq", "pgmq", "public"}
    assert run(bakery, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_a_message_runs_and_its_result_is_kept(bakery: Connection, loaf: str) -> None:
    message = app.bake.send(loaf)
    assert message.get_result(block=True, timeout=PATIENCE) == f"warm {loaf}"
    assert len(done(bakery, f"baked {loaf}")) == 1


def test_a_failure_is_retried(bakery: Connection, loaf: str) -> None:
    app.bake_better.send(loaf)
    until(lambda: done(bakery, f"baked {loaf} better"))


def test_what_fails_for_good_is_a_dead_letter_that_can_be_sent_back(bakery: Connection, loaf: str) -> None:
    message = app.burn.send(loaf)
    errors = "SELECT error FROM dramatiq.dead_letter WHERE message_id = %s"
    until(lambda: run(bakery, errors, message.message_id))
    assert f"{loaf} is charcoal" in run(bakery, errors, message.message_id)[0][0]
    run(bakery, "SELECT dramatiq.redrive(ARRAY[%s::uuid])", message.message_id)
    until(lambda: len(done(bakery, f"burnt {loaf}")) == 4, "it is tried twice more")


def test_a_pipeline_hands_results_on(bakery: Connection, loaf: str) -> None:
    steps = dramatiq.pipeline([app.bake.message(loaf), app.cut.message_with_options()]).run()
    assert steps.get_result(block=True, timeout=PATIENCE) == f"cut warm {loaf}"


def test_a_group_has_results_and_tells_when_it_is_complete(bakery: Connection, loaf: str) -> None:
    before = len(done(bakery, "praised the bakers"))
    loaves = dramatiq.group(app.bake.message(f"{loaf} {number}") for number in range(5))
    loaves.add_completion_callback(app.praise.message())
    results = loaves.run().get_results(block=True, timeout=PATIENCE)
    assert list(results) == [f"warm {loaf} {number}" for number in range(5)]
    until(lambda: len(done(bakery, "praised the bakers")) == before + 1)


def test_a_result_of_what_failed_is_its_failure(bakery: Connection) -> None:
    message = app.cut.send_with_options(kwargs={"loaf": "one", "with_butter": True})
    with pytest.raises(ResultFailure):
        message.get_result(block=True, timeout=PATIENCE)


def test_sql_sends_once_for_a_key(bakery: Connection, loaf: str) -> None:
    send = "SELECT dramatiq.send('bake', jsonb_build_object('loaf', %s::text), unique_key => %s)"
    assert run(bakery, send, loaf, loaf) == run(bakery, send, loaf, loaf)
    until(lambda: done(bakery, f"baked {loaf}"))


def test_a_delayed_message_runs_when_it_is_due(bakery: Connection, loaf: str) -> None:
    [(sent_at,)] = run(bakery, "SELECT clock_timestamp()")
    app.bake.send_with_options(args=(loaf,), delay=700)
    until(lambda: done(bakery, f"baked {loaf}"))
    [(_, at)] = done(bakery, f"baked {loaf}")
    assert (at - sent_at).total_seconds() >= 0.7


def test_a_message_exists_if_and_only_if_the_transaction_commits(bakery: Connection, address: str, loaf: str) -> None:
    with closing(connect(address)) as conn:
        for how, end in (("undone", conn.rollback), ("kept", conn.commit)):
            with app.broker.transaction(conn):
                app.bake.send(f"{loaf} {how}")
            end()
    until(lambda: done(bakery, f"baked {loaf} kept"))
    sent = "SELECT message -> 'args' ->> 0 FROM dramatiq.queue WHERE message -> 'args' ->> 0 LIKE %s"
    assert run(bakery, sent, f"{loaf}%") == [(f"{loaf} kept",)]


def test_messages_of_its_pgmq_queue_reach_the_routes_actor(bakery: Connection, loaf: str) -> None:
    run(bakery, "SELECT pgmq.send('orders', jsonb_build_object('loaf', %s::text, 'priority', 3))", loaf)
    until(lambda: done(bakery, f"sold {loaf} at 3"))
    assert run(bakery, "SELECT count(*) FROM pgmq.a_orders WHERE message ->> 'loaf' = %s", loaf) == [(1,)]


def test_its_routes_queue_has_a_doorbell_an_urgent_index_and_a_view(bakery: Connection) -> None:
    assert run(bakery, "SELECT tgname FROM pg_trigger WHERE tgrelid = 'pgmq.q_orders'::regclass") == [("ring",)]
    assert run(bakery, "SELECT to_regclass('pgmq.orders_urgent') IS NOT NULL") == [(True,)]
    assert run(bakery, "SELECT msg_id, read_ct, enqueued_at, vt, message FROM pgmq.orders") == []


def test_what_speaks_of_a_subject_is_forgotten_on_its_route_and_behind_it(bakery: Connection, loaf: str) -> None:
    run(bakery, "SELECT pgmq.send('orders', jsonb_build_object('loaf', %s::text), 3600)", loaf)
    app.sell.send_with_options(kwargs={"loaf": loaf}, delay=3_600_000)
    subject = {"loaf": loaf}
    run(bakery, "CREATE TEMP TABLE opened (message_id uuid, message jsonb)")  # nothing is encrypted here
    for gone in (1, 0):
        [queued, *_] = run(
            bakery,
            "SELECT removed, kept FROM dramatiq.routed_tables() AS t, dramatiq.forget_pgmq("
            "t.table_name, ARRAY(SELECT msg_id FROM dramatiq.pgmq_messages(t.table_name, NULL, 1000)), "
            "'bakery.speaks_of', %s, false) WHERE t.actor_name IS NOT NULL",
            json.dumps(subject),
        )
        forget = (
            "SELECT * FROM dramatiq.forget(ARRAY(SELECT message_id FROM dramatiq.queue), 'pg_temp.opened', "
            "'bakery.speaks_of', %s, '{}')"
        )
        assert [queued, *run(bakery, forget, json.dumps(subject))] == [(gone, []), (gone, "{}")]


def test_the_more_urgent_message_runs_first(bakery: Connection, loaf: str) -> None:
    for priority in (0, 9, 5):
        app.knead.send_with_options(args=(f"{loaf} {priority}",), broker_priority=priority)
    with hired("night", threads=1):
        until(lambda: done(bakery, f"kneaded {loaf} 0"))
    order = run(bakery, "SELECT what FROM bakery.done WHERE what LIKE %s ORDER BY at", f"kneaded {loaf}%")
    assert [row[0].removeprefix(f"kneaded {loaf} ") for row in order] == ["9", "5", "0"]


def test_another_worker_takes_over_what_a_killed_one_held(bakery: Connection, loaf: str) -> None:
    run(bakery, "SELECT pg_advisory_lock(1)")
    app.knead.send(loaf)
    with hired("night"):
        until(lambda: done(bakery, f"kneading {loaf}"))
    with hired("night"):
        until(lambda: len(done(bakery, f"kneading {loaf}")) == 2)
        run(bakery, "SELECT pg_advisory_unlock(1)")
        until(lambda: done(bakery, f"kneaded {loaf}"))
    (killed, _), (heir, _) = done(bakery, f"kneading {loaf}")
    assert killed != heir
    assert [pid for pid, _ in done(bakery, f"kneaded {loaf}")] == [heir]


def test_what_is_cancelled_while_its_worker_is_killed_is_not_run_again(bakery: Connection, loaf: str) -> None:
    run(bakery, "SELECT pg_advisory_lock(1)")
    message = app.knead.send(loaf)
    with hired("night"):
        until(lambda: done(bakery, f"kneading {loaf}"))
        run(bakery, "SELECT dramatiq.cancel(ARRAY[%s::uuid], 'anna', 'sent by mistake')", message.message_id)
    state = "SELECT state::text FROM dramatiq.queue WHERE message_id = %s"
    with hired("night"):
        until(lambda: run(bakery, state, message.message_id) == [("cancelled",)])
        run(bakery, "SELECT pg_advisory_unlock(1)")
        app.knead.send(f"another {loaf}")
        until(lambda: done(bakery, f"kneaded another {loaf}"))
    assert len(done(bakery, f"kneading {loaf}")) == 1
    assert not done(bakery, f"kneaded {loaf}")
