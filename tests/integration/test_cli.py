"""The balansity command tells people what is wrong, with the value and the remedy."""

import json
import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

import actors
import cli
import db.connection
import settings
from checks.jobs import is_late
from db.connection import Connection
from discretion import OBEYED


def balansity(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hunter2@127.0.0.1:9/clinic")
    settings.current.cache_clear()
    return monkeypatch


def test_help_lists_every_command() -> None:
    said = balansity("--help").output
    for name in (
        "dead",
        "deliveries",
        "demo",
        "doctor",
        "jobs",
        "migrate",
        "plan",
        "preview",
        "redrive",
        "status",
        "up",
    ):
        assert name in said


def test_a_wrong_setting_stops_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_PROVIDER", "pigeon")
    settings.current.cache_clear()
    said = balansity("status")
    settings.current.cache_clear()
    assert said.exit_code == 1
    assert "EMAIL_PROVIDER: 'pigeon' must be one of file, smtp, sendgrid" in said.output


@pytest.mark.parametrize("command", ["status", "deliveries", "doctor", "migrate"])
def test_an_unreachable_server_is_named_without_its_password(unreachable: pytest.MonkeyPatch, command: str) -> None:
    said = balansity(command)
    settings.current.cache_clear()
    assert said.exit_code == 1
    assert "Cannot reach PostgreSQL at postgresql://someone@127.0.0.1:9/clinic" in said.output
    assert "DATABASE_URL" in said.output
    assert "hunter2" not in said.output


def test_a_server_that_is_too_old_is_named_with_its_version(environment: pytest.MonkeyPatch) -> None:
    environment.setattr(db.connection, "OLDEST_SERVER", 990_000)
    said = balansity("migrate")
    assert said.exit_code == 1
    assert re.search(r"PostgreSQL \d+.* is too old: version 14 or newer is needed", said.output)


def test_an_unmigrated_database_is_sent_to_migrate(environment: pytest.MonkeyPatch, empty_database: str) -> None:
    environment.setenv("DATABASE_URL", empty_database)
    settings.current.cache_clear()
    for command in ("status", "doctor"):
        said = balansity(command)
        assert said.exit_code == 1
        assert "balansity migrate" in said.output


def test_doctor_finds_a_sound_database_without_workers(environment: pytest.MonkeyPatch, database: str) -> None:
    actors.publish(database)
    findings = json.loads(balansity("doctor", "--json").output)
    bad = [finding["what"] for finding in findings if finding["verdict"] == "bad"]
    assert bad == ["No worker process lives: messages wait."]


@pytest.mark.parametrize(
    ("schedule", "planned_until", "late"),
    [
        ("15 * * * *", "11:15", False),
        ("15 * * * *", "10:15", True),
        ("*/5 * * * *", "11:50", False),
        ("*/5 * * * *", "11:45", True),
        ("0 3 * * *", "03:00", False),
        ("0 11 * * *", "10:00", True),
    ],
)
def test_a_job_is_late_ten_minutes_after_a_slot_that_nobody_planned(
    schedule: str, planned_until: str, late: bool
) -> None:
    now = datetime(2026, 11, 25, 12, 4, tzinfo=UTC)
    assert is_late(schedule, "UTC", datetime.fromisoformat(f"2026-11-25T{planned_until}Z"), now) == late


def test_doctor_tells_of_a_time_zone_that_only_python_knows(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TIME_ZONE", "localtime")  # Debian's own
    settings.current.cache_clear()
    findings = json.loads(balansity("doctor", "--json").output)
    assert "The database knows no time zone localtime: days cannot be counted." in [each["what"] for each in findings]


def test_doctor_names_late_jobs(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE balansity.job SET planned_until = now()"
            " - CASE schedule WHEN '0 3 * * *' THEN interval '2 days' ELSE interval '0' END"
        )
    said = balansity("doctor").output
    assert "Jobs that nobody plans: cleanup-old-assessments\n" in said


def test_doctor_names_a_pgmq_queue_that_no_worker_takes(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute("""SELECT pgmq.send('email_queue', '{"to": "anna@example.com"}')""")
        cursor.execute("SELECT pgmq.send('analytics_queue', '{}', 3600)")
        cursor.execute("UPDATE pgmq.q_email_queue SET enqueued_at = now() - interval '2 minutes'")
        cursor.execute("UPDATE pgmq.q_analytics_queue SET enqueued_at = now() - interval '2 minutes'")
    assert "Queues that fall behind: email_queue\n" in balansity("doctor").output


def test_doctor_names_a_route_that_is_gone_or_whose_doorbell_somebody_removed(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER ring ON pgmq.q_email_queue")
        cursor.execute("UPDATE dramatiq.actor SET pgmq_queue = NULL WHERE pgmq_queue = 'analytics_queue'")
    said = balansity("doctor").output
    assert "no bell rings for email_queue: workers notice within a second." in said
    assert "pgmq queues that feed no actor, and should: analytics_queue\n" in said


def test_doctor_asks_for_a_time_limit_where_a_pooler_drops_ours(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BROKER_LISTEN", "off")
    settings.current.cache_clear()
    assert "ALTER ROLE postgres SET statement_timeout = '30s'" in balansity("doctor").output


def test_doctor_leads_to_the_flagged_payments(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO public.users (email) VALUES ('anna@example.com')")
        cursor.execute("INSERT INTO public.payments (user_id, amount) SELECT id, 5000 FROM public.users")
        cursor.execute("SELECT balansity.flag_payment(id, 'other money', now()) FROM public.payments")
    assert "balansity payments flagged" in balansity("doctor").output


def test_a_missing_privilege_is_named(environment: pytest.MonkeyPatch, connection: Connection, database: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS newcomer")
        cursor.execute("CREATE ROLE newcomer LOGIN")
    environment.setenv("DATABASE_URL", database.replace("postgres:@", "newcomer:@"))
    settings.current.cache_clear()
    said = balansity("status")
    assert said.exit_code == 1
    assert "permission denied for schema dramatiq" in said.output
    assert "Grant it to this role" in said.output


def test_a_dead_letter_is_listed_shown_and_sent_back(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute("""SELECT dramatiq.send('generate_report', '{"assessment_id": "x"}')""")
        [(message_id,)] = cursor.fetchall()
        cursor.execute("UPDATE dramatiq.queue SET state = 'rejected', error = 'Not a report message'")
    assert "Not a report message" in balansity("dead").output
    assert '"assessment_id": "x"' in balansity("dead", message_id).output
    assert "1 sent back" in balansity("redrive", message_id, "--reason", "a test").output
    queues = {row["queue"]: row for row in json.loads(balansity("status", "--json").output)["queues"]}
    assert queues["reports"]["waiting"] == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Not a report message", "Not a report message"),
        (
            'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    go()\nerrors.InvalidMessage: no type',
            "errors.InvalidMessage: no type",
        ),
        (
            (
                'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    go()\n'
                "psycopg2.errors.CheckViolation: new row violates a check\nDETAIL:  Failing row contains (anna).\n"
            ),
            "psycopg2.errors.CheckViolation: new row violates a check",
        ),
    ],
)
def test_the_list_of_dead_letters_gives_each_ones_reason(
    environment: pytest.MonkeyPatch, connection: Connection, database: str, error: str, reason: str
) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute("""SELECT dramatiq.send('record_event', '{"type": "visit"}')""")
        cursor.execute("UPDATE dramatiq.queue SET state = 'rejected', error = %s", (error,))
    assert f"attempts: {reason}\n" in balansity("dead").output


def test_a_dead_letter_that_cannot_be_decoded_is_shown_as_it_is(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    actors.publish(database)
    with connection.cursor() as cursor:
        cursor.execute("""SELECT dramatiq.send('record_event', '{"type": "visit"}')""")
        [(message_id,)] = cursor.fetchall()
        cursor.execute(
            "UPDATE dramatiq.queue SET state = 'rejected', error = 'too deep', "
            "message = (repeat('[', 5000) || repeat(']', 5000))::jsonb"
        )
    said = balansity("dead", message_id)
    assert said.exit_code == 0
    assert "[[[[" in said.output


def test_an_id_that_is_none_is_refused_with_an_example(environment: pytest.MonkeyPatch) -> None:
    for command in (
        ["dead"],
        ["redrive", "--reason", "a test"],
        ["reveal", "--reason", "a test"],
        ["payments", "resolve", "--reason", "a test"],
    ):
        said = balansity(*command, "seven")
        assert (said.exit_code, "'seven' is no id of a" in said.output) == (1, True)


def test_what_a_terminal_would_obey_is_printed_by_name(environment: pytest.MonkeyPatch, connection: Connection) -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202e[red][/]"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, error, message) VALUES (gen_random_uuid(), "
            "%(evil)s, 'rejected', %(evil)s, jsonb_build_object('actor_name', %(evil)s::text, 'args', '[]'::jsonb))",
            {"evil": evil},
        )
        cursor.execute(
            "INSERT INTO balansity.delivery "
            "(key, message_id, template, recipient, subject, state, reason, planned_at, changed_at) "
            "VALUES (%(evil)s, %(evil)s, %(evil)s, %(evil)s, %(evil)s, 'failed', %(evil)s, now(), now())",
            {"evil": evil},
        )
    for command in (["dead"], ["deliveries"], ["deliveries", "--failed"], ["status"], ["doctor"]):
        for more in ([], ["--json"]):
            said = balansity(*command, *more)
            assert said.output
            assert not isinstance(said.exception, Exception) or isinstance(said.exception, SystemExit)
            assert not OBEYED.search(said.output), (command, more)
