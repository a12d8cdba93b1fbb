"""Every query and helper of the request answers as it promises (integrations-setup.md)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import actors
import scheduler
from actors.queues import (
    archive_task,
    queue_email_task,
    queue_payment_processing,
    queue_report_generation,
    read_email_task,
)
from db.connection import connect
from db.migrate import migrate

QUEUES = {"email_queue", "report_generation_queue", "payment_processing_queue", "analytics_queue"}
JOBS = {"update-appointment-statuses", "cleanup-old-assessments", "send-appointment-reminders"}
TRIGGERS = {
    ("on_checkup_completed", "assessments", "UPDATE"),
    ("on_new_appointment", "appointments", "INSERT"),
    ("on_payment_status_change", "payments", "UPDATE"),
}


def run(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_the_three_cron_jobs_are_found(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    scheduler.synchronise(datetime.now(UTC))
    rows = run(
        connection,
        "SELECT jobname, schedule FROM cron.job WHERE jobname IN "
        "('update-appointment-statuses', 'cleanup-old-assessments', 'send-appointment-reminders')",
    )
    assert {name for name, _ in rows} == JOBS
    assert dict(rows)["update-appointment-statuses"] == "*/5 * * * *"


def test_the_queues_are_listed(connection: Connection) -> None:
    assert {row[0].strip('()"').split(",")[0] for row in run(connection, "SELECT pgmq.list_queues()::text")} >= QUEUES


def test_the_triggers_are_found(connection: Connection) -> None:
    rows = run(
        connection,
        "SELECT trigger_name, event_object_table, event_manipulation FROM information_schema.triggers "
        "WHERE trigger_schema = 'public' "
        "AND trigger_name IN ('on_checkup_completed', 'on_new_appointment', 'on_payment_status_change')",
    )
    assert set(rows) == TRIGGERS


def test_the_trigger_functions_are_found(connection: Connection) -> None:
    names = {name for (name,) in run(connection, "SELECT proname FROM pg_proc WHERE proname LIKE 'handle_%'")}
    assert {"handle_checkup_completed", "handle_new_appointment", "handle_payment_status_change"} <= names


def test_a_runs_details_are_found(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    now = datetime.now(UTC)
    scheduler.synchronise(now)
    scheduler.run_now("update-appointment-statuses", now)
    actors.appointments.update_appointment_statuses.fn(slot=now.isoformat())
    rows = run(
        connection,
        "SELECT status, return_message FROM cron.job_run_details WHERE jobid IN "
        "(SELECT jobid FROM cron.job WHERE jobname = 'update-appointment-statuses') ORDER BY start_time DESC",
    )
    assert rows == [("succeeded", "0 started, 0 completed")]
    assert len(run(connection, "SELECT * FROM cron.job_run_details ORDER BY start_time DESC LIMIT 10")) == 1


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
    migrate(empty_database)
    [(parameters,)] = run(conn, "SELECT proargnames FROM pg_proc WHERE proname = 'pgmq_read'")
    assert parameters == ["queue_name", "vt"]
    conn.close()


def run_statement(connection: Connection, statement: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
