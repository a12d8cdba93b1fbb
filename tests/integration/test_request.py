"""Every query and helper of the request answers as it promises (integrations-setup.md)."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extras import RealDictCursor

import actors
import db.database
import scheduler
from actors.queues import (
    archive_task,
    queue_email_task,
    queue_payment_processing,
    queue_report_generation,
    read_email_task,
)
from db.connection import Connection, connect
from db.database import transaction
from tests.clinic import take_over

REQUEST = (Path(__file__).parent / "request.sql").read_text(encoding="utf-8")  # its SQL, word for word
QUEUES = {"email_queue", "report_generation_queue", "payment_processing_queue", "analytics_queue"}
JOBS = {"update-appointment-statuses", "cleanup-old-assessments", "send-appointment-reminders"}
TRIGGERS = {
    ("on_checkup_completed", "assessments", "UPDATE"),
    ("on_new_appointment", "appointments", "INSERT"),
    ("on_payment_status_change", "payments", "UPDATE"),
}
FUNCTIONS = {"handle_checkup_completed", "handle_new_appointment", "handle_payment_status_change"}

Rows = list[dict[str, Any]]


def triggers(rows: Rows) -> set[tuple[str, str, str]]:
    return {(row["trigger_name"], row["event_object_table"], row["event_manipulation"]) for row in rows}


def ran(rows: Rows) -> bool:
    return [(row["status"], row["return_message"]) for row in rows] == [("succeeded", "0 started, 0 completed")]


# Words of each query, and whether its rows are what the request promises; one mail and one report wait, one job ran.
ANSWERS: dict[str, Callable[[Rows], bool]] = {
    "FROM cron.job WHERE jobname IN": lambda rows: {row["jobname"] for row in rows} == JOBS,
    "FROM pgmq.list_queues()": lambda rows: {row["queue_name"] for row in rows} >= QUEUES,
    "event_manipulation FROM information_schema.triggers": lambda rows: triggers(rows) == TRIGGERS,
    "SELECT * FROM information_schema.triggers": lambda rows: triggers(rows) >= TRIGGERS,
    "proname LIKE 'handle_%'": lambda rows: {row["proname"] for row in rows} >= FUNCTIONS,
    "FROM cron.job_run_details ORDER BY": ran,
    "FROM cron.job_run_details WHERE jobid IN": ran,
    "pgmq_metrics('email_queue')": lambda rows: (rows[0]["queue_length"], rows[0]["total_messages"]) == (1, 1),
    "pgmq_metrics('report_generation_queue')": lambda rows: rows[0]["queue_length"] == 1,
    "FROM pgmq.email_queue": lambda rows: [row["message"]["template"] for row in rows] == ["report_ready"],
    "FROM pgmq.report_generation_queue": lambda rows: [row["message"]["report_type"] for row in rows] == ["pdf"],
    "FROM pg_extension WHERE extname = 'pg_cron'": lambda rows: rows == [],
    "FROM pg_extension WHERE extname = 'pgmq'": lambda rows: {row["extname"] for row in rows} <= {"pgmq"},
}


def queries(script: str) -> list[str]:
    """The statements of a script, each once, without its comments."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    statements = (" ".join(statement.split()) for statement in "\n".join(lines).split(";"))
    return list(dict.fromkeys(filter(None, statements)))


def run(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@pytest.fixture
def busy(environment: pytest.MonkeyPatch, connection: Connection) -> Connection:
    """A system in which one job ran, and a mail and a report wait."""
    now = datetime.now(UTC)
    actors.publish(db.database.url(), scheduler.publish)
    with transaction() as conn:
        scheduler.run_now(conn, "update-appointment-statuses", now)
    actors.appointments.update_appointment_statuses.fn(slot=now.isoformat())
    queue_email_task("user@example.com", "Ваш отчет готов", "report_ready", {"name": "Иван"})
    queue_report_generation(UUID(int=1), UUID(int=2), "pdf")
    return connection


def test_every_query_has_one_answer() -> None:
    known = [[words for words in ANSWERS if words in query] for query in queries(REQUEST)]
    assert sorted(known) == sorted([words] for words in ANSWERS)


@pytest.mark.parametrize("query", queries(REQUEST))
def test_every_query_answers_as_it_promises(busy: Connection, query: str) -> None:
    with busy.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query)
        rows = [dict(row) for row in cursor.fetchall()]
    [promised] = [answer for words, answer in ANSWERS.items() if words in query]
    assert promised(rows), rows


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_metrics_and_waiting_messages_are_shown(connection: Connection, queue: str) -> None:
    run(connection, f"SELECT pgmq.send('{queue}', '{{\"type\": \"x\"}}')")
    [(length, total)] = run(connection, f"SELECT queue_length, total_messages FROM pgmq_metrics('{queue}')")
    assert (length, total) == (1, 1)
    [waiting] = run(connection, f"SELECT message FROM pgmq.{queue} ORDER BY enqueued_at DESC LIMIT 10")
    assert waiting == ({"type": "x"},)


def test_the_python_helpers_queue_read_and_archive(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    assert queue_email_task("user@example.com", "Ваш отчет готов", "report_ready", {"name": "Иван"}) == 1
    user_id, assessment_id = "7b4d3b2e-0000-4000-8000-000000000001", "7b4d3b2e-0000-4000-8000-000000000002"
    assert queue_report_generation(assessment_id, user_id, "pdf") == 1
    assert queue_payment_processing(assessment_id, "verify") == 1
    task = read_email_task(30)
    assert task is not None
    assert task["msg"] == task["message"]
    assert task["msg"]["variables"] == {"name": "Иван"}
    assert read_email_task(30) is None
    assert archive_task("email_queue", task["msg_id"])
    assert not archive_task("email_queue", task["msg_id"])


@pytest.mark.parametrize(
    "function",
    [
        "queue_email_task",
        "queue_report_generation",
        "queue_payment_processing",
        "pgmq_read",
        "pgmq_archive",
        "pgmq_nack",
        "pgmq_metrics",
    ],
)
def test_a_visitor_may_not_call_the_queue_functions(connection: Connection, function: str) -> None:
    [(allowed,)] = run(
        connection,
        "SELECT bool_or(has_function_privilege('pg_monitor', oid, 'EXECUTE')) FROM pg_proc "
        f"WHERE proname = '{function}'",
    )
    assert allowed is False


def test_an_older_pgmq_read_makes_way(empty_database: str) -> None:
    conn = connect(empty_database)
    run_statement(
        conn,
        "CREATE FUNCTION public.pgmq_read(q text, seconds integer) RETURNS SETOF text LANGUAGE sql AS $$SELECT q$$",
    )
    take_over(empty_database)
    [(parameters,)] = run(conn, "SELECT proargnames FROM pg_proc WHERE proname = 'pgmq_read'")
    assert parameters == ["queue_name", "vt"]
    conn.close()


def run_statement(connection: Connection, statement: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
