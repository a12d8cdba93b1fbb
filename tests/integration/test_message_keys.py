"""With keys, no queue, dead letter, result or archive tells of a person, and everything goes on working."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

import actors
import settings
from actors.analytics import record_event
from broker import broker as application
from cli import main
from db import database, queries
from db.connection import Connection
from db.database import pool, transaction
from errors import PermanentError
from messaging.broker import PostgresBroker
from tests.clinic import Clinic
from tests.integration.broker_cases import PATIENCE, run, states
from tests.integration.forget_cases import forget, live_with_the_service, traces
from tests.waiting import until

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
ADDRESS, NAME = "anna.karenina@example.com", "Каренина"
ORDER = {"to": ADDRESS, "variables": {"name": f"Анна {NAME}"}}
TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema IN ('dramatiq', 'pgmq') AND table_type = 'BASE TABLE'
"""
DEAD = "SELECT message_id::text FROM dramatiq.dead_letter"
WAITING = "SELECT waits_for, count(*) FROM dramatiq.queue WHERE waits_for IS NOT NULL GROUP BY 1"
SPOILED = """
    UPDATE dramatiq.queue
    SET message = jsonb_set(message, '{sealed}', to_jsonb(overlay(message ->> 'sealed' PLACING 'AAAA' FROM 50)))
    WHERE message_id = %s
"""
REFUSE = """
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON dramatiq.queue FOR EACH ROW
    WHEN (NEW.pgmq_msg_id = {} AND NEW.message ? 'actor_name') EXECUTE FUNCTION public.refuse()
"""
HOLDING = 'SELECT held::text FROM "{}"."{}" AS held'


@pytest.fixture
def keys() -> list[bytes]:
    """The keys of the broker under test, for a test to change."""
    return [OLD]


@pytest.fixture
def broker(environment: pytest.MonkeyPatch, keys: list[bytes]) -> Iterator[PostgresBroker]:
    broker = PostgresBroker(pool, keys=lambda: keys)
    yield broker
    broker.close()


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def write(broker: PostgresBroker, seen: list[dict[str, Any]]) -> Any:
    """An actor that keeps what it was given, and fails in the words of its input where that says so."""

    @dramatiq.actor(
        broker=broker, queue_name="emails", pgmq_queue="email_queue", readable=["key"], max_retries=1, min_backoff=1,
        max_backoff=1, store_results=True, throws=(PermanentError,)
    )  # fmt: skip
    def write(**payload: Any) -> Any:
        seen.append(payload)
        if fault := payload.get("fault"):
            raise {"for good": PermanentError, "again": ValueError}[fault](f"no mailbox {payload['to']} of {NAME}")
        return payload

    with transaction() as conn:
        broker.publish_actors(conn)
    return write


def readable(connection: Connection) -> list[str]:
    """The tables of the broker and of pgmq in which the person can be read, in text or in bytes."""
    words = [ADDRESS, NAME, "Анна", "anna", ADDRESS.encode().hex(), NAME.encode().hex(), json.dumps(NAME)[1:-1]]
    return [
        f"{schema}.{table}: {row}"
        for schema, table in run(connection, TABLES)
        for (row,) in run(connection, HOLDING.format(schema, table))
        if any(word in row for word in words)
    ]


def redrive_all(connection: Connection) -> None:
    queries.messages.redrive(connection, ids=[message_id for (message_id,) in run(connection, DEAD)])


def test_nothing_tells_of_a_person_whatever_way_a_message_came_and_however_it_ended(
    broker: PostgresBroker, write: Any, work: Any, connection: Connection, seen: list[dict[str, Any]]
) -> None:
    ended = write.send(**ORDER)
    write.send_with_options(kwargs=ORDER, delay=86_400_000)
    write.send_with_options(kwargs={**ORDER, "fault": "for good"}, note=f"for {ADDRESS}")
    dramatiq.pipeline(
        [write.message(**ORDER), write.message_with_options(kwargs=ORDER, pipe_ignore=True)], broker=broker
    ).run()
    broker.enqueue_many([write.message(**ORDER) for _ in range(100)])
    assert readable(connection) == []
    assert not seen

    send = "SELECT dramatiq.send('write', %s::jsonb, unique_key => %s)"
    run(connection, send, json.dumps(ORDER), f"welcome:{ADDRESS}")
    run(connection, send, json.dumps(ORDER), f"welcome:{ADDRESS}")
    run(connection, send, json.dumps({**ORDER, "fault": "again"}), None)
    for payload in (
        {**ORDER, "key": "reminder:1"},
        {ADDRESS: 1, "self": NAME, "key": ADDRESS},
        {**ORDER, "fault": "again"},
        [ADDRESS],
        ADDRESS,
    ):
        run(connection, "SELECT pgmq.send('email_queue', %s::jsonb)", json.dumps(payload))
    run(
        connection,
        "SELECT pgmq.send('email_queue', %s::jsonb)",
        f'{{"to": "{ADDRESS}", "deep": {"[" * 1500 + "]" * 1500}}}',
    )
    work()
    until(lambda: states(connection) == {"queued": 1, "done": 106, "rejected": 6})
    assert readable(connection) == []
    assert run(connection, "SELECT count(*) FROM pgmq.a_email_queue") == [(6,)]
    assert {**ORDER, "key": "reminder:1"} in seen
    assert {ADDRESS: 1, "key": ADDRESS} in seen
    keys = run(connection, "SELECT message #>> '{kwargs,key}' FROM dramatiq.queue WHERE message -> 'kwargs' ? 'key'")
    assert sorted(keys, key=str) == [("reminder:1",), (None,)]  # what SQL asks for, unless it names somebody
    assert broker.get_results_backend().get_result(ended, block=True, timeout=PATIENCE) == ORDER
    [(dead, *_)] = run(connection, DEAD + " WHERE error LIKE '%%PermanentError' LIMIT 1")
    shown = CliRunner().invoke(main, ["dead", dead]).output
    assert '"fault": null' in shown
    assert '"note": {"sealed": "(balansity reveal ID)"}' in shown
    kinds = {error.splitlines()[-1] for (error,) in run(connection, "SELECT error FROM dramatiq.dead_letter")}
    assert {"ValueError", "PermanentError"} < kinds


def test_keys_come_are_rotated_and_are_waited_for_when_one_is_lost(
    broker: PostgresBroker, write: Any, work: Any, *, keys: list[bytes], connection: Connection, seen: list[Any]
) -> None:
    keys.clear()
    for fault in ("for good", "again"):
        write.send(to=ADDRESS, fault=fault)
    write.send_with_options(kwargs=ORDER, delay=86_400_000)
    worker = work()
    until(lambda: states(connection) == {"queued": 1, "rejected": 2})
    keys.append(OLD)
    assert broker.vault.seal_all(transaction).counts == {"encrypted": 3}
    run(connection, "DELETE FROM dramatiq.result")  # which goes by itself within minutes
    assert readable(connection) == []
    assert sorted(run(connection, "SELECT error FROM dramatiq.dead_letter")) == [("PermanentError",), ("ValueError",)]

    keys.insert(0, NEW)
    assert broker.vault.seal_all(transaction).counts == {"encrypted": 3}
    assert broker.vault.seal_all(transaction).counts == {}
    keys.remove(OLD)
    redrive_all(connection)
    until(lambda: len(seen) == 6 and states(connection) == {"queued": 1, "rejected": 2})
    assert seen[:3] == seen[3:]

    [lost] = broker.seal.key_names()
    keys[:] = [OLD]
    redrive_all(connection)
    until(lambda: run(connection, WAITING) == [(f"key {lost}", 2)])
    write.send(to=ADDRESS)
    until(lambda: states(connection) == {"queued": 3, "done": 1})
    worker.stop()
    keys.append(NEW)
    work()
    until(lambda: states(connection) == {"queued": 1, "done": 1, "rejected": 2})


def test_what_was_changed_since_it_was_encrypted_is_a_dead_letter_at_once(
    write: Any, work: Any, connection: Connection, seen: list[dict[str, Any]]
) -> None:
    message = write.send(**ORDER)
    write.send(to="boris@example.com")
    run(connection, SPOILED, message.message_id)
    work()
    until(lambda: states(connection) == {"done": 1, "rejected": 1})
    assert seen == [{"to": "boris@example.com"}]
    assert "changed since" in run(connection, "SELECT error FROM dramatiq.dead_letter")[0][0]


def test_a_message_that_the_table_refuses_is_kept_encrypted_and_holds_up_no_other(
    broker: PostgresBroker, write: Any, work: Any, connection: Connection, seen: list[dict[str, Any]]
) -> None:
    numbers = [run(connection, "SELECT pgmq.send('email_queue', %s::jsonb)", json.dumps(ORDER))[0][0] for _ in range(5)]
    run(connection, REFUSE.format(numbers[2]))
    work()
    until(lambda: states(connection) == {"done": 4, "rejected": 1})
    run(connection, "DROP FUNCTION public.refuse() CASCADE")
    assert seen == [ORDER] * 4
    assert readable(connection) == []
    [(message_id, error)] = run(connection, "SELECT message_id::text, error FROM dramatiq.dead_letter")
    assert error.endswith(
        f"{numbers[2]} of pgmq queue email_queue, which this row keeps, could not be moved: RaiseException"
    )
    assert broker.vault.opened(connection, message_id)["kwargs"] == ORDER


def test_a_worker_that_died_with_a_plain_message_leaves_it_to_one_that_encrypts_it(
    broker: PostgresBroker, write: Any, work: Any, connection: Connection, seen: list[dict[str, Any]]
) -> None:
    run(connection, "SELECT dramatiq.send('write', %s::jsonb)", json.dumps(ORDER))
    [(dead,)] = run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('gone', 1) RETURNING id")
    assert len(list(queries.broker.exchange(connection, worker=dead, queue="emails", done=[], attempts=[], limit=5,
                                            pgmq_queue=None, actor=None, after=None))) == 1  # fmt: skip
    run(connection, "DELETE FROM dramatiq.worker WHERE id = %s", dead)
    assert queries.broker.rescue(connection, dead=[], beats=[], most_rescues=10) == 1
    work()
    until(lambda: states(connection) == {"done": 1})
    assert seen == [ORDER]
    assert readable(connection) == []


def test_the_clinics_work_leaves_nothing_readable_and_a_person_is_still_forgotten(
    clinic: Clinic, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("MESSAGE_KEYS", b64encode(NEW).decode())
    settings.current.cache_clear()
    actors.publish(database.url())
    anna = live_with_the_service(clinic, "anna@example.com", "Аграфена", "Тёркина")
    others = live_with_the_service(clinic, "boris@example.com", "Василиса", "Обломова")
    for number in range(20):
        record_event.send(type="page_seen", key=f"{number}", email="anna@example.com")
        clinic.rows("SELECT pgmq.send('analytics_queue', %s::jsonb)", f'{{"type": "page_seen", "email": "{anna[5]}"}}')
    worker = dramatiq.Worker(application, worker_timeout=100, worker_threads=4)
    worker.start()
    until(clinic.is_worked_off)
    held = traces(clinic, *anna[5:], *others[5:])
    assert [table for table in held if not table.startswith("balansity.")] == []
    assert clinic.value("SELECT count(*) FROM balansity.analytics_event WHERE type = 'page_seen'") == 40

    [(delivery_id, message_id)] = clinic.rows(
        "SELECT id::text, message_id FROM balansity.delivery WHERE recipient = 'anna@example.com' LIMIT 1"
    )
    reveal = CliRunner().invoke(main, ["reveal", message_id, "--reason", "She asks for it."])
    assert json.loads(reveal.output)["kwargs"]["to"] == "anna@example.com"
    assert clinic.rows("SELECT reason, revealed_by <> '' FROM dramatiq.revelation") == [("She asks for it.", True)]
    told = CliRunner().invoke(main, ["deliveries", delivery_id, "--json"]).output
    assert "anna@example.com" not in told
    shown = CliRunner().invoke(main, ["reveal", delivery_id[:8], "--reason", "A call."])  # as deliveries shows it
    assert json.loads(shown.output)["recipient"] == "anna@example.com"

    before = traces(clinic, *others)
    clinic.rows("DELETE FROM public.users WHERE id = %s", anna[0])
    told_of = forget(anna[0])
    assert told_of["removed"]["messages of the broker"] >= 5
    assert traces(clinic, *anna) == {}
    assert traces(clinic, *others) == before
    worker.stop()

    environment.setenv("MESSAGE_KEYS", b64encode(OLD).decode())  # a key is lost: it is said, not passed over
    settings.current.cache_clear()
    skipped = forget(others[0], exit_code=1)["skipped"]
    assert len(skipped) == 1  # all of one key together
    assert re.fullmatch(r"message \S+ and \d+ others: .* is not among this process's keys.", skipped[0])
    findings = CliRunner().invoke(main, ["doctor", "--json"]).output
    assert "keys that are not in MESSAGE_KEYS" in findings
