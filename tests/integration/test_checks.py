"""One list of checks says what is wrong, about what, since when and what to do, and needs no look of seconds for it."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

import actors
import cli
import scheduler
import settings
from broker import broker
from checks import looks
from checks.finding import Finding
from db import queries
from db.connection import Connection
from tests.clinic import Clinic
from tests.integration.broker_cases import run

WAITS = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, priority, message, available_at, delayed)
    SELECT gen_random_uuid(), %s, 'queued', %s, '{"actor_name": "a"}', now() - %s * interval '1 minute', %s
    FROM generate_series(1, %s)
"""
DIED = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, message, error, mtime)
    SELECT gen_random_uuid(), 'emails', 'rejected', jsonb_build_object('actor_name', %s::text), %s,
           now() - %s * interval '1 hour'
"""


NOWHERE = "amqp://somebody:hunter22@127.0.0.1:1"


@pytest.fixture
def alive(environment: pytest.MonkeyPatch, connection: Connection, database: str) -> Connection:
    """A database with a worker and a scheduler that have just been heard."""
    actors.publish(database, scheduler.publish)
    run(connection, "INSERT INTO dramatiq.worker (host, pid) VALUES ('clinic', 1)")
    run(connection, "INSERT INTO balansity.scheduler (id, host, pid, beats) VALUES (gen_random_uuid(), 'clinic', 2, 1)")
    connection.autocommit = True
    Clinic(connection).plan_up_to_now()
    return connection


def waits(connection: Connection, queue: str, minutes: float, **other: Any) -> None:
    values = queue, other.get("priority", 0), minutes, other.get("delayed", False), other.get("count", 1)
    run(connection, WAITS, *values)


def died(connection: Connection, actor: str, error: str, hours: float) -> None:
    run(connection, DIED, actor, error, hours)


def calls(connection: Connection) -> list[tuple[str, str]]:
    return [(finding.check, finding.subject) for finding in looks.calling(looks.quick(connection))]


def found(connection: Connection, check: str) -> Finding:
    return next(each for each in looks.quick(connection) if each.check == check)


def test_a_sound_system_calls_nobody(alive: Connection) -> None:
    assert {finding.verdict for finding in looks.quick(alive)} == {"good"}


def test_a_queue_is_late_by_its_own_patience(alive: Connection) -> None:
    waits(alive, "emails", 3)
    waits(alive, "reports", 3)
    assert calls(alive) == [("queue-late", "emails")]
    waits(alive, "reports", 11)
    assert calls(alive) == [("queue-late", "emails"), ("queue-late", "reports")]
    assert "Queue emails is late: its oldest message has been due since" in found(alive, "queue-late").what


def test_what_urgent_messages_push_back_is_late_too(alive: Connection) -> None:
    waits(alive, "emails", 0, priority=9, count=2_000)
    waits(alive, "emails", 5, priority=-3)
    assert calls(alive) == [("queue-late", "emails")]


def test_what_waits_in_pgmq_or_was_delayed_counts_by_when_it_fell_due(alive: Connection) -> None:
    run(alive, """SELECT pgmq.send('email_queue', '{"to": "anna@example.com"}', 3600)""")
    waits(alive, "payments", -30, delayed=True)
    assert calls(alive) == []
    run(alive, "UPDATE pgmq.q_email_queue SET vt = now() - interval '3 minutes'")
    run(alive, "UPDATE dramatiq.queue SET available_at = now() - interval '3 minutes'")
    assert calls(alive) == [("queue-late", "emails"), ("queue-late", "payments")]


def test_what_waits_in_pgmq_is_counted_and_of_many_about(alive: Connection) -> None:
    put = "INSERT INTO pgmq.q_email_queue (vt, message) SELECT now(), '{}' FROM generate_series(1, %s)"
    run(alive, put, 3)
    assert dict(queries.messages.count_pgmq(alive))["email_queue"] == 3
    run(alive, put, 12_000)
    assert dict(queries.messages.count_pgmq(alive))["email_queue"] >= 10_000
    run(alive, "ANALYZE pgmq.q_email_queue")
    assert dict(queries.messages.count_pgmq(alive))["email_queue"] == 12_003


def test_a_paused_queue_is_told_as_paused_and_not_as_late(alive: Connection) -> None:
    waits(alive, "emails", 30)
    run(alive, "SELECT dramatiq.pause_queue('emails', NULL, 'vera', 'the provider asks for it')")
    assert calls(alive) == []
    pause = found(alive, "queue-paused")
    assert (pause.verdict, pause.subject) == ("note", "emails")
    assert pause.what == "Queue emails is paused until it is resumed, by vera: the provider asks for it"


def test_a_line_that_nobody_calls_up_is_late_and_one_that_stands_still_is_told(alive: Connection) -> None:
    for _ in range(2):
        run(alive, """SELECT dramatiq.send('send_email', '{"to": "", "subject": "", "template": ""}', key => 'rye')""")
    run(alive, "UPDATE dramatiq.queue SET available_at = now() - interval '3 minutes'")
    run(alive, "UPDATE dramatiq.changed_line SET at = now() - interval '3 minutes'")
    assert calls(alive) == [("queue-late", "emails")]
    run(alive, "DELETE FROM dramatiq.changed_line")
    [(check, line)] = calls(alive)
    assert check == "line-stuck"
    assert f"SELECT dramatiq.note_change('{{{line}}}', true)" in found(alive, "line-stuck").advised()
    run(alive, f"SELECT dramatiq.note_change('{{{line}}}', true)")
    assert calls(alive) == []


def test_who_was_not_heard_for_half_a_minute_does_not_live(alive: Connection) -> None:
    run(alive, "UPDATE dramatiq.worker SET started_at = now() - interval '31 seconds'")
    assert calls(alive) == [("no-worker", "")]
    run(alive, "UPDATE balansity.scheduler SET looked_at = now() - interval '31 seconds'")
    assert calls(alive) == [("no-worker", ""), ("no-scheduler", "")]


def test_a_job_that_nobody_plans_is_told_unless_no_scheduler_lives(alive: Connection) -> None:
    run(alive, "UPDATE balansity.job SET planned_until = now() - interval '1 day' WHERE name = 'keep-minutes'")
    assert calls(alive) == [("jobs-unplanned", "keep-minutes")]
    run(alive, "DELETE FROM balansity.scheduler")
    assert calls(alive) == [("no-scheduler", "")]


def test_a_run_that_does_not_end_is_told_unless_its_queue_is_paused(alive: Connection) -> None:
    planned = "INSERT INTO balansity.slot (job, slot, state) VALUES ('keep-minutes', now() - interval %s, 'planned')"
    run(alive, planned, "30 minutes")
    assert calls(alive) == [("slots-late", "keep-minutes")]
    queue = broker.actors["keep_minutes"].queue_name
    run(alive, "SELECT dramatiq.pause_queue(%s, NULL, 'vera', 'a test')", queue)
    assert calls(alive) == []


def test_a_failure_is_new_by_its_actor_and_kind(alive: Connection) -> None:
    died(alive, "bake", "ValueError: 12 is no price of anna@example.com", 50)
    died(alive, "bake", "ValueError: 13 is no price of olga@example.com", 1)
    assert calls(alive) == []
    died(alive, "sell", "ValueError: 13 is no price of olga@example.com", 1)
    [(check, failure)] = calls(alive)
    told = found(alive, check)
    assert (check, told.facts["actor"], told.facts["kind"]) == ("new-failure", "sell", "ValueError")
    assert failure in CliRunner().invoke(cli.main, ["failures", "--json"]).output
    assert "olga" not in told.what


def test_flagged_payments_and_held_mails_call_a_person(alive: Connection) -> None:
    run(alive, "INSERT INTO public.users (email) VALUES ('anna@example.com')")
    run(alive, "INSERT INTO public.payments (user_id, amount) SELECT id, 5000 FROM public.users")
    run(alive, "SELECT balansity.flag_payment(id, 'other money', now()) FROM public.payments")
    [(payment,)] = run(alive, "SELECT id::text FROM public.payments")
    run(
        alive,
        "INSERT INTO balansity.delivery (key, template, state, message_id, planned_at, changed_at, held_at)"
        " VALUES ('a', 'report_ready', 'unknown', 'm', now(), now(), now())",
    )
    assert calls(alive) == [("held-after-restore", ""), ("payment-flagged", payment)]


def test_a_run_past_every_time_limit_is_told_by_its_worker(alive: Connection) -> None:
    hold = (
        "INSERT INTO dramatiq.queue (message_id, queue_name, state, message, claimed_by, mtime)"
        " VALUES (gen_random_uuid(), 'emails', 'consumed', %s, 7, now() - interval '13 minutes')"
    )
    run(alive, hold, json.dumps({"actor_name": "a", "options": {"time_limit": 3_600_000}}))
    assert calls(alive) == []
    run(alive, hold, json.dumps({"actor_name": "a"}))
    assert calls(alive) == [("run-too-long", "7")]


def test_migrations_that_this_version_needs_are_missed(alive: Connection) -> None:
    run(alive, "DELETE FROM balansity.migration WHERE migration_id = '046_keep_alarms'")
    assert calls(alive) == [("migrations-missing", "")]
    assert found(alive, "migrations-missing").what == "Migrations are missing: 046_keep_alarms"


def test_a_check_that_cannot_be_made_calls_and_keeps_no_other_from_being_made(alive: Connection) -> None:
    run(alive, "DROP FUNCTION dramatiq.oldest_due")
    run(alive, "DELETE FROM dramatiq.worker")
    assert calls(alive) == [("no-worker", ""), ("check-failed", "queues.lateness")]


def test_doctor_tells_all_of_it_with_the_names_that_programs_know(alive: Connection) -> None:
    waits(alive, "emails", 30)
    told = json.loads(CliRunner().invoke(cli.main, ["doctor", "--json"]).output)
    late = next(each for each in told if each["check"] == "queue-late")
    assert (late["subject"], late["verdict"], late["calls"]) == ("emails", "bad", True)
    assert late["since"]
    assert {finding.check for finding in looks.quick(alive)} - {"no-worker", "no-scheduler"} <= {
        each["check"] for each in told
    }


def test_that_no_relay_lives_is_told_while_messages_wait_for_one(
    alive: Connection, environment: pytest.MonkeyPatch
) -> None:
    waits(alive, "reports", 1)
    assert calls(alive) == []
    environment.setenv("BROKER_URL", NOWHERE)
    settings.current.cache_clear()
    assert calls(alive) == [("rabbitmq-away", ""), ("no-relay", "")]
    run(alive, "SELECT dramatiq.relay_lives()")
    assert found(alive, "no-relay").verdict == "good"
    run(alive, "UPDATE dramatiq.relay SET heard_at = now() - interval '31 seconds'")
    assert calls(alive) == [("rabbitmq-away", ""), ("no-relay", "")]
    run(alive, "SELECT dramatiq.pause_queue('reports', NULL, 'vera', 'a test')")
    assert found(alive, "no-relay").verdict == "note"
    run(alive, "SELECT dramatiq.relay_lives()")
    assert found(alive, "no-relay").verdict == "good"


def test_a_rabbitmq_that_does_not_answer_is_told_of_without_its_login(
    alive: Connection, environment: pytest.MonkeyPatch
) -> None:
    assert "rabbitmq-away" not in {finding.check for finding in looks.quick(alive)}
    environment.setenv("BROKER_URL", NOWHERE)
    settings.current.cache_clear()
    [finding] = looks.calling(looks.quick(alive))
    assert (finding.check, finding.verdict) == ("rabbitmq-away", "bad")
    assert finding.said() == "RabbitMQ does not answer at 127.0.0.1:1: messages wait in PostgreSQL."
    for command in ("doctor", "status"):
        said = CliRunner().invoke(cli.main, [command]).output
        assert "RabbitMQ does not answer at 127.0.0.1:1" in said
        assert "hunter22" not in said
