"""Behind PgBouncer in transaction mode, as behind Supabase's port 6543: everything works with BROKER_LISTEN=off."""

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import psycopg2
import pytest
from dramatiq import group, pipeline
from dramatiq.rate_limits import ConcurrentRateLimiter

import settings
from messaging.limits import PostgresLimits
from tests.faults.crew import Crew, Office
from tests.servers import pgbouncer
from tests.waiting import until

CONNECTIONS = 4  # of PgBouncer to PostgreSQL, for all workers together
MESSAGES = 3_000
KEY = b64encode(bytes(32)).decode()
PATIENCE = 30_000  # milliseconds

pytestmark = pytest.mark.skipif(not pgbouncer.PROGRAM.exists(), reason="needs Debian's package pgbouncer")


@pytest.fixture
def office(database: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Office]:
    with pgbouncer.running(database, connections=CONNECTIONS) as url:
        environment.setenv("DATABASE_URL", url)
        environment.setenv("BROKER_LISTEN", "off")
        settings.current.cache_clear()
        office = Office(url, tmp_path)
        office.side_door = database
        yield office
        office.broker.close()


def test_a_backlog_is_drained_through_few_connections_though_a_worker_is_killed(office: Office, crew: Crew) -> None:
    victim = crew.hire(threads=2)
    office.send_many("finish_after_gate", [("one",), ("two",)])
    until(lambda: office.deeds().keys() == {"began:one", "began:two"}, "the victim is busy")
    office.send_many("count", [(number,) for number in range(MESSAGES)])
    survivors = [crew.hire(), crew.hire()]
    victim.kill()
    gate = office.open_gate()
    until(lambda: office.states() == {"done": MESSAGES + 2}, "all is done")
    os.close(gate)
    deeds = office.deeds()
    assert all(deeds[str(number)] == 1 for number in range(MESSAGES))
    assert deeds["one"] == deeds["two"] == 1
    for worker in survivors:
        worker.terminate()
        assert worker.process.wait(timeout=10) == 0


def test_delays_retries_dead_letters_and_the_bridge_work(office: Office, crew: Crew) -> None:
    crew.hire()
    gate = office.open_gate()
    office.send("retry_after_gate", "again", max_retries=3)
    office.send("fail_after_gate", "never")
    office.broker.enqueue(office.message("count", 1), delay=500)
    office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 2}')")
    until(lambda: office.states() == {"done": 2, "rejected": 2}, "all is settled")
    os.close(gate)
    deeds = office.deeds()
    assert (deeds["again"], deeds["never"], deeds["1"], deeds["2"]) == (4, 1, 1, 1)


def test_with_keys_messages_are_encrypted_and_run_whatever_way_they_come(office: Office, crew: Crew) -> None:
    crew.hire(MESSAGE_KEYS=KEY)
    office.send("hear", "sent@example.com", queue="heard")
    office.send("break_on", "dead@example.com")
    for number in range(100):
        office.query("SELECT pgmq.send('email_queue', %s::jsonb)", json.dumps({"address": f"{number}@example.com"}))
    until(lambda: office.states() == {"done": 101, "rejected": 1}, "all is settled")
    assert office.deeds().total() == 103
    assert office.query("SELECT count(*) FROM dramatiq.queue q WHERE q::text LIKE %s", "%@example%") == [(0,)]
    assert office.query("SELECT DISTINCT message FROM pgmq.a_email_queue") == [({},)]


def test_what_is_sent_in_a_transaction_exists_only_if_it_commits(office: Office) -> None:
    caller = psycopg2.connect(office.url)
    with office.broker.transaction(caller):
        office.send("count", 1)
    caller.rollback()
    with office.broker.transaction(caller):
        office.send("count", 2)
    caller.commit()
    caller.close()
    assert office.query("SELECT message -> 'args' FROM dramatiq.queue") == [([2],)]


def test_a_cut_off_pooler_session_loses_nothing(office: Office, crew: Crew, database: str) -> None:
    office.send_many("count", [(number,) for number in range(MESSAGES)])
    crew.hire()
    until(lambda: office.states().get("done", 0) > MESSAGES / 4, "the drain is under way")
    conn = psycopg2.connect(database)
    with conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    conn.close()
    until(lambda: office.states() == {"done": MESSAGES}, "all is done")
    assert office.deeds().keys() == {str(number) for number in range(MESSAGES)}


def test_results_groups_pipelines_limiters_join_flush_and_sends_from_sql_work(office: Office) -> None:
    broker = office.broker
    actor: Any = dramatiq.actor(broker=broker, actor_name="double", store_results=True)(lambda number: 2 * number)
    actor.send(1)
    broker.flush("default")
    assert office.states() == {}
    worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=4)
    worker.start()
    try:
        sent = [actor.send(2), *(actor.message(number) for number in (3, 4))]
        assert sent[0].get_result(block=True, timeout=PATIENCE) == 4
        assert list(group(sent[1:], broker=broker).run().get_results(block=True, timeout=PATIENCE)) == [6, 8]
        chain = pipeline([actor.message(5), actor.message()], broker=broker).run()
        assert chain.get_result(block=True, timeout=PATIENCE) == 20
        assert office.states() == {"done": 5}
        caller = psycopg2.connect(office.url)
        with caller, caller.cursor() as cursor:
            cursor.execute("SELECT dramatiq.send('double', '{\"number\": 6}')")
        caller.close()
        broker.join("default", timeout=PATIENCE)
        assert office.states() == {"done": 6}
    finally:
        worker.stop()
    limiter = ConcurrentRateLimiter(PostgresLimits(broker.pool), "one at a time")
    with limiter.acquire() as first, limiter.acquire(raise_on_failure=False) as second:
        assert (first, second) == (True, False)


def test_a_doorbell_that_a_pooler_does_not_carry_is_noticed_and_said(
    database: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pooler in transaction mode that was told to drop what it does not know, and nobody set BROKER_LISTEN."""
    with pgbouncer.running(database, connections=CONNECTIONS, ignored="options, extra_float_digits") as url:
        environment.setenv("DATABASE_URL", url)
        settings.current.cache_clear()
        office = Office(url, tmp_path)
        office.side_door = database
        crew = Crew(office)
        try:
            worker = crew.hire()
            until(lambda: "doorbell_is_deaf" in office.logged(), "the worker notices")
            until(lambda: office.query("SELECT dramatiq.deaf_workers()"), "doctor could tell")
            [(deaf,)] = office.query("SELECT dramatiq.deaf_workers()")
            [number] = worker.rows()
            assert f"worker {number} (" in deaf
            office.send("count", 1)
            until(lambda: office.states() == {"done": 1}, "it works all the same")
        finally:
            crew.dismiss()
            office.broker.close()
