"""No address, name or letter stands in a statement: the server's log and pg_stat_activity quote statements."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

import actors
import broker as application
from actors.emails import send_email
from actors.queues import queue_email_task
from db import queries
from db.connection import Connection
from db.database import pool, single_statements, transaction
from db.hidden import PERSONAL
from errors import InvalidMessage
from mail import ledger
from mail.delivery import deliver
from mail.order import read_order
from messaging.broker import PostgresBroker
from messaging.intake import FEWEST_COPIED
from tests.waiting import until

QUERIES = Path(queries.__file__).parent
ADDRESS, NAME = "anna.hidden@example.com", "Аннушка Скрытова"
REFUSE = """
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON dramatiq.queue FOR EACH ROW EXECUTE FUNCTION public.refuse()
"""
# Parameters of named queries that hold ids, times, numbers, words of ours, or what is encrypted: nothing of a person's.
HARMLESS = set(
    """
    abilities accepted action actor actors after amount answer_type appointment_id assessment_id assessment_type
    at attempt attempts beats before bells built can_ask cause channel claimed columns contents count days dead deadline
    definitions delay delayed delivery_id despite digest done drop due end external_id first form format gender group
    handlers happened_at hears high host hourly id ids in_charge job keep kept_actors key keys kind kinds known
    last limit look low media_type member members message_id most most_rescues ms msg_id msg_ids name names now number
    occurred_at outcome path patience patience_seconds pause paused payment_id pgmq_queue pid places priorities
    priority profile_id provider provider_message_id question_id queue queue_name queues reasons refund_id
    refusal report_id report_type reporting reports required resend_after restored_to schema retention room rows
    schedule scheduled_at sealed seconds signature signatures since size_bytes skipped slot slots spacing
    speaks_of stacks start started_at state states status table target template time_zone times token tried ttl type
    check_name span stopped_by total type_name until urgencies user_id value via vt wanted who whole why worker zone
    checks key_limit last_begun waits_for lease least ledger lines ended headers over sentences settled subjects
    way ways ends month midnights
    """.split()  # noqa: SIM905 - a hundred lines otherwise
)


def test_every_parameter_is_known_to_be_personal_or_harmless() -> None:
    """A new one is looked at: where it may hold what is a person's, it goes into PERSONAL."""
    parameters = {
        name.strip()
        for path in QUERIES.glob("*.sql")
        for names in re.findall(r"^-- name: \w+\(([^)]*)\)", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in names.split(",")
        if name.strip()
    }
    assert parameters - HARMLESS == PERSONAL
    assert not HARMLESS & PERSONAL


def test_the_servers_log_of_every_statement_has_nobodys_address(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    log = logged(connection)
    with connection.cursor() as cursor:
        name = connection.info.dbname
        cursor.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 0")
        cursor.execute(f"ALTER DATABASE {name} SET log_min_error_statement = 'error'")
    pool.closeall()
    actors.publish(database)
    order = {"to": ADDRESS, "subject": NAME, "template": "report_ready", "variables": {"name": NAME}}
    queue_email_task(ADDRESS, NAME, "report_ready", {"name": NAME}, 0)
    send_email.send(**order)
    with transaction() as conn, application.broker.transaction(conn):
        send_email.send(**order)
    deliver(read_order(order), "m1")
    deliver(read_order(order | {"template": "unknown"}), "m2")
    with single_statements() as conn:
        [row] = queries.deliveries.latest(conn, states=["sent"], since=None, until=None, last=None, count=1)
        queries.deliveries.record_event(
            conn, id="e1", delivery_id=str(row.id), kind="bounced", detail=f"550 {ADDRESS}", occurred_at=row.planned_at
        )
        queries.results.store(conn, message_id=str(row.id), result=ADDRESS.encode(), ttl=1000)
        assert bytes(queries.results.find(conn, message_id=str(row.id))) == ADDRESS.encode()
        with pytest.raises(psycopg2.DataError):
            queries.people.forget_events(conn, keys=[], person=f"{{{ADDRESS}")
        assert queries.deliveries.lift(conn, address=ADDRESS.upper()) == 1
        assert queries.deliveries.lift(conn, address=ADDRESS) == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM dramatiq.queue WHERE message #>> '{kwargs,to}' = %s", (ADDRESS,))
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT recipient, subject FROM balansity.delivery WHERE message_id = 'm1'")
        assert cursor.fetchone() == (ADDRESS, NAME)
    assert "dramatiq.hidden(1)" in log()
    for word in (ADDRESS, NAME, ADDRESS.encode().hex(), "Скрытова"):
        assert word not in log()


def test_no_error_quotes_what_a_row_says(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    """Data that the server refuses, and others' triggers: it logs the row's number, never its text."""
    keys = [bytes(32)]
    broker = PostgresBroker(pool, keys=lambda: keys)
    log = logged(connection)
    message = send_email.message(to=ADDRESS, subject=NAME)

    spoiled = message.copy(kwargs={"to": ADDRESS, "note": "\0"})
    with pytest.raises(InvalidMessage):
        broker.enqueue(spoiled)
    with pytest.raises(InvalidMessage):
        broker.enqueue(message.copy(message_id=ADDRESS))
    with pytest.raises(psycopg2.DataError):
        queue_email_task(ADDRESS, NAME, "report_ready", {"address": ADDRESS, "note": "\0"}, 0)
    with single_statements() as conn, pytest.raises((psycopg2.DataError, ValueError)):
        queries.deliveries.lift(conn, address=f"{ADDRESS}\0")

    sealed = json.dumps(broker.seal.message(vars(spoiled)))  # as an older version may have
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, message) VALUES (%s, 'emails', 'queued', %s)",
            (spoiled.message_id, sealed),
        )
    with transaction() as conn:
        [(locked, error)] = broker.vault.lay_out(conn, [spoiled.message_id])
    assert (locked, type(error)) == (spoiled.message_id, InvalidMessage)

    keys.clear()
    with connection.cursor() as cursor:
        cursor.execute(REFUSE)
    for messages in ([message], [message.copy(message_id=str(uuid4())) for _ in range(FEWEST_COPIED)]):
        with pytest.raises(psycopg2.errors.RaiseException):
            broker.enqueue_many(messages)
    assert log().count("not this one") == 2
    assert "COPY live, line 1" in log()
    for word in (ADDRESS, NAME, "anna.hidden", json.dumps(NAME)[1:-1]):
        assert word not in log()


def logged(connection: Connection) -> Callable[[], str]:
    """Reads what the server has logged from now on of this test's database's sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (pg_stat_file(current_setting('data_directory') || '/log', true)).size")
        [(size,)] = cursor.fetchall()
    if size is None:
        pytest.skip("the server keeps its log elsewhere")

    def read() -> str:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_read_binary_file(current_setting('data_directory') || '/log', %s, 50000000)", (size,)
            )
            [(text,)] = cursor.fetchall()
        return bytes(text).decode(errors="replace")

    return read


def test_a_statement_that_waits_shows_no_value(
    environment: pytest.MonkeyPatch, connect: Callable[[], Connection]
) -> None:
    blocker, watcher = connect(), connect()
    blocker.autocommit = False
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE balansity.delivery")
    entry = ledger.Entry("k", False, "m1", "report_ready", ADDRESS, NAME, None)
    planning = threading.Thread(target=ledger.plan, args=(entry,))
    planning.start()
    until(lambda: waiting(watcher), "the ledger waits")
    [statement] = waiting(watcher)
    blocker.rollback()
    planning.join()
    assert "dramatiq.hidden(" in statement
    assert ADDRESS not in statement
    assert NAME not in statement


def waiting(conn: Connection) -> list[str]:
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [query for (query,) in cursor.fetchall()]


def test_what_is_hidden_ends_with_its_transaction(environment: pytest.MonkeyPatch) -> None:
    with transaction() as conn:
        queries.demo.be_silent(conn)  # other triggers rest then
        queries.deliveries.lift(conn, address=ADDRESS)
        with conn.cursor() as cursor:
            cursor.execute("SELECT dramatiq.hidden(1)")
            assert cursor.fetchone() == (ADDRESS,)
    with transaction() as conn, conn.cursor() as cursor:
        cursor.execute("SELECT dramatiq.hidden(1)")
        assert cursor.fetchone() in {("",), (None,)}
        cursor.execute("SELECT FROM dramatiq.hidden_value")
        assert cursor.rowcount == 0
