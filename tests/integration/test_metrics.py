"""Prometheus is told, by a reader's login, what the whole system does, in figures that nobody's data is in."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

import actors
import scheduler
from actors.messages import keep
from db.connection import Connection
from messaging.vault import class_of
from tests.clinic import Clinic
from tests.integration.broker_cases import run
from tests.pages import READER, open_pages

Figures = Callable[..., float | None]
ENDED = """
    INSERT INTO dramatiq.queue (message_id, queue_name, state, message, attempt, mtime, available_at, error)
    SELECT gen_random_uuid(), 'emails', %s, '{"actor_name": "send_email"}', %s, now() - interval '2 minutes',
           now() - interval '2 minutes' - %s * interval '1 second', %s
    FROM generate_series(1, %s)
"""
TRACEBACK = """Traceback (most recent call last):
  File "mail/attempt.py", line 1, in send
    raise RecipientRefused("anna@example.com")
errors.RecipientRefused: anna@example.com: no such mailbox
"""


@pytest.fixture
def client(environment: pytest.MonkeyPatch, clinic: Clinic, database: str) -> FlaskClient:
    actors.publish(database, scheduler.publish)
    clinic.rows("UPDATE dramatiq.kept_until SET at = date_trunc('minute', now()) - interval '30 minutes'")
    clinic.rows(
        "UPDATE balansity.deliveries_counted_until SET at = date_trunc('minute', now()) - interval '30 minutes'"
    )
    return open_pages(environment)


def scrape(client: FlaskClient) -> Figures:
    """What Prometheus's own parser reads; a figure by its name and labels, None where there is none."""
    answer = client.get("/metrics", auth=READER)
    assert answer.status_code == 200
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }

    def figure(metric: str, **labels: str) -> float | None:
        return found.get((f"balansity_{metric}", frozenset(labels.items())))

    return figure


def ended(connection: Connection, state: str, count: int, **other: Any) -> None:
    run(connection, ENDED, state, other.get("attempt", 1), other.get("seconds", 1.5), other.get("error"), count)


def test_programs_want_a_readers_login_and_get_no_page(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 401
    answer = client.get("/metrics", auth=READER, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert (answer.status_code, answer.mimetype) == (200, "application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_throughput_latency_retries_and_failures_only_grow(client: FlaskClient, connection: Connection) -> None:
    ended(connection, "done", 5, attempt=3)
    ended(connection, "done", 2, seconds=400)
    ended(connection, "rejected", 4, error=TRACEBACK)
    ended(connection, "rejected", 1, error="Message 7 of pgmq queue email_queue could not be moved: anna@example.com")
    for _ in range(2):  # nothing is counted twice
        keep(datetime.now(UTC))
    figure, here = scrape(client), {"queue": "emails", "actor": "send_email"}
    assert figure("message_seconds_bucket", **here, le="1.0") == 0
    assert figure("message_seconds_bucket", **here, le="2.0") == 5
    assert figure("message_seconds_bucket", **here, le="+Inf") == figure("message_seconds_count", **here) == 7
    assert figure("message_seconds_sum", **here) == pytest.approx(5 * 1.5 + 2 * 400)
    assert figure("message_retries_total", **here) == 10
    assert figure("dead_letters_total", **here, error="errors.RecipientRefused") == 4
    assert figure("dead_letters_total", **here, error="other") == 1
    assert figure("queue_messages", queue="emails", state="dead") == 5
    assert "anna" not in client.get("/metrics", auth=READER).text


def test_many_kinds_of_errors_make_few_series(client: FlaskClient, connection: Connection) -> None:
    for number in range(50):
        ended(connection, "rejected", 1, error=f"Odd{number}: said")
    ended(connection, "rejected", 3, error="Frequent: said")
    keep(datetime.now(UTC))
    text = client.get("/metrics", auth=READER).text
    lines = [line for line in text.splitlines() if line.startswith("balansity_dead_letters_total{")]
    assert len(lines) == 21
    assert sum(float(line.split()[1]) for line in lines) == 53
    figure, here = scrape(client), {"queue": "emails", "actor": "send_email"}
    assert (
        figure("dead_letters_total", **here, error="Frequent"),
        figure("dead_letters_total", **here, error="other"),
    ) == (*(3, 31),)


@pytest.mark.parametrize(
    "error",
    [
        TRACEBACK,
        "ValueError: anna",
        "KeyError",
        "psycopg2.errors.LockNotAvailable: canceling statement",
        "a.b.Odd:",
        "No such mailbox",
        "Message 7 of pgmq queue q",
        "",
        "«Анна»",
    ],
)
def test_sql_and_python_name_an_errors_class_alike(connection: Connection, error: str) -> None:
    [(said,)] = run(connection, "SELECT dramatiq.class_of(%s)", error)
    assert said == (class_of(error) or "other")


def test_what_waits_and_how_late_it_is(client: FlaskClient, connection: Connection) -> None:
    run(
        connection,
        "INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at, delayed) "
        "SELECT gen_random_uuid(), 'reports', 'queued', '{}', now() + n * interval '10 minutes', n > 0 "
        "FROM generate_series(-1, 1) AS n",
    )
    run(connection, "SELECT pgmq.send('analytics_queue', '{}')")
    run(connection, "SELECT dramatiq.pause_queue('reports', NULL, 'vera', 'why')")
    figure = scrape(client)
    assert figure("queue_messages", queue="reports", state="waiting") == 2
    assert figure("queue_messages", queue="reports", state="delayed") == 1
    assert figure("queue_oldest_seconds", queue="reports") == pytest.approx(600, abs=60)
    assert (figure("queue_paused", queue="reports"), figure("queue_paused", queue="emails")) == (1, 0)
    assert figure("pgmq_messages", queue="analytics_queue") == 1
    assert figure("pgmq_messages", queue="email_queue") == figure("pgmq_oldest_seconds", queue="email_queue") == 0


def test_mails_by_what_became_of_them(client: FlaskClient, clinic: Clinic) -> None:
    for state, count in {"delivered": 3, "failed": 2, "planned": 1}.items():
        clinic.rows(
            "INSERT INTO balansity.delivery (key, message_id, template, state, planned_at, changed_at) "
            "SELECT %s || n, 'm', 'report_ready', %s, now(), now() - interval '3 minutes' "
            "FROM generate_series(1, %s) AS n",
            *(state, state, count),
        )
    for _ in range(2):
        keep(datetime.now(UTC))
    figure = scrape(client)
    assert [figure("deliveries", state=state) for state in ("planned", "failed", "sending")] == [1, 2, 0]
    assert [figure("deliveries_changed_total", state=state) for state in ("delivered", "failed")] == [3, 2]


def test_a_slot_that_is_late_and_one_that_nobody_plans(client: FlaskClient, clinic: Clinic) -> None:
    clinic.rows("UPDATE balansity.job SET planned_until = balansity.now()")
    assert scrape(client)("job_late_seconds", name="keep-minutes") == 0
    clinic.rows(
        "INSERT INTO balansity.slot (job, slot, state) VALUES ('keep-minutes', now() - interval '5 minutes', 'planned')"
    )
    clinic.rows(
        "INSERT INTO balansity.slot (job, slot, state, finished_at) "
        "VALUES ('purge-messages', now() - interval '9 minutes', 'succeeded', to_timestamp(1700000000))"
    )
    clinic.rows(
        "UPDATE balansity.job SET planned_until = now() - interval '10 minutes' WHERE name = 'watch-mail-events'"
    )
    clinic.rows(
        "UPDATE balansity.job SET paused = true, planned_until = now() - interval '1 day' WHERE name LIKE 'verify%%'"
    )
    figure = scrape(client)
    assert figure("job_late_seconds", name="keep-minutes") == pytest.approx(300, abs=30)
    assert figure("job_late_seconds", name="watch-mail-events") == pytest.approx(570, abs=60)
    assert figure("job_success_timestamp_seconds", name="purge-messages") == 1700000000
    assert (
        figure("job_late_seconds", name="verify-open-payments"),
        figure("job_paused", name="verify-open-payments"),
    ) == (*(0, 1),)


def test_who_beats_which_provider_is_there_and_which_payments_are_open(client: FlaskClient, clinic: Clinic) -> None:
    clinic.rows("INSERT INTO dramatiq.worker (host, pid) VALUES ('a', 1), ('b', 2)")
    clinic.rows("INSERT INTO dramatiq.worker (host, pid, started_at) VALUES ('c', 3, now() - interval '1 minute')")
    clinic.rows(
        "INSERT INTO balansity.provider_state (provider, state, since, noticed_by, next_probe_at) "
        "VALUES ('sendgrid', 'away', now(), 'worker 1', now())"
    )
    clinic.rows(
        "INSERT INTO public.payments (user_id, amount, external_payment_id, payment_method) "
        "VALUES (%s, 1, 'x-1', 'yookassa')",
        clinic.add_user(),
    )
    clinic.rows(
        "INSERT INTO balansity.payment_flag (payment_id, reason, flagged_at) VALUES (gen_random_uuid(), 'odd', now())"
    )
    figure = scrape(client)
    assert (figure("workers", state="beating"), figure("workers", state="silent")) == (2, 1)
    assert figure("schedulers", state="beating") == 0
    assert (figure("provider_available", provider="sendgrid"), figure("provider_available", provider="file")) == (0, 1)
    assert (figure("payments_open"), figure("payments_flagged")) == (1, 1)
