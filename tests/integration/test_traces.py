"""All that comes of one cause has one trace: from the trigger to the provider's event, in logs, and findable by it."""

import json
import logging
import re
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import actors
import cli
from actors.reports import generate_report
from broker import broker as application
from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.clinic import Clinic
from tests.integration.broker_cases import run, states
from tests.pages import OPERATOR, open_pages
from tests.waiting import until

TRACE = re.compile(r"[0-9a-f]{32}")
TRACES = "SELECT message ->> 'actor_name', dramatiq.trace_of(message_id::text) FROM dramatiq.queue"


def traces(connection: Connection) -> dict[str, set[str]]:
    """Of each actor's messages."""
    found: dict[str, set[str]] = {}
    for actor, trace in run(connection, TRACES):
        found.setdefault(actor, set()).add(trace)
    return found


def test_what_a_run_sends_is_part_of_its_trace_through_retries_too(
    broker: PostgresBroker, work: Any, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    @dramatiq.actor(broker=broker, max_retries=2, min_backoff=1)
    def cause(number: int) -> None:
        if not run(connection, "SELECT 1 FROM dramatiq.queue WHERE message ->> 'actor_name' = 'effect'"):
            effect.send(number)
            raise ValueError("once more")
        effect.send(number)

    @dramatiq.actor(broker=broker)
    def effect(number: int) -> None:
        last.send(number)

    @dramatiq.actor(broker=broker)
    def last(number: int) -> None: ...

    sent = cause.send(1)
    other = cause.send(2)
    with caplog.at_level(logging.INFO):
        work()
        until(lambda: len(traces(connection)) == 3 and states(connection).keys() == {"done"})
    roots = {message.message_id.replace("-", "") for message in (sent, other)}
    assert traces(connection) == {"cause": roots, "effect": roots, "last": roots}
    assert sent.options == {}
    retried = [record.message for record in caplog.records if record.message.startswith("message_retried")]
    assert retried
    assert all(any(f"trace={root}" in line for root in roots) for line in retried)


def test_what_is_sent_outside_a_run_begins_a_trace_of_its_own(
    broker: PostgresBroker, work: Any, connection: Connection
) -> None:
    @dramatiq.actor(broker=broker)
    def note() -> None: ...

    note.send()
    worker = work(threads=1)
    until(lambda: states(connection) == {"done": 1})
    worker.stop()
    note.send()
    note.send_with_options(trace="анна@example.com")
    named = [trace for (trace,) in run(connection, "SELECT dramatiq.trace_of(message_id::text) FROM dramatiq.queue")]
    ids = [id_.replace("-", "") for (id_,) in run(connection, "SELECT message_id::text FROM dramatiq.queue")]
    assert sorted(named) == sorted(ids)


@pytest.mark.parametrize("keys", [[], [bytes(32)]])
def test_a_pipeline_a_group_and_a_sealed_message_keep_the_trace(
    broker: PostgresBroker, work: Any, connection: Connection, keys: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker.seal, "_keys", lambda: keys)

    @dramatiq.actor(broker=broker)
    def begin() -> None:
        (step.message() | step.message()).run()

    @dramatiq.actor(broker=broker)
    def step(*given: Any) -> None: ...

    root = begin.send().message_id.replace("-", "")
    work()
    until(lambda: states(connection) == {"done": 3})
    assert traces(connection) == {"begin": {root}, "step": {root}}


def test_what_one_transaction_of_the_site_causes_has_one_trace(
    clinic: Clinic, connection: Connection, database: str
) -> None:
    actors.publish(database)
    user = clinic.add_user()
    for _ in range(2):
        checkup = clinic.add_checkup(user)
        clinic.rows("UPDATE public.assessments SET status = 'completed', completed_at = now() WHERE id = %s", checkup)
    for queue, (pgmq_queue, actor) in {
        "reports": ("report_generation_queue", "generate_report"),
        "emails": ("email_queue", "send_email"),
        "analytics": ("analytics_queue", "record_event"),
    }.items():
        run(connection, "SELECT dramatiq.bridge(NULL, %s, %s, %s, 100, 0)", queue, pgmq_queue, actor)
    found = traces(connection)
    assert len(found) == 3
    assert all(len(each) == 2 for each in found.values()), "two check-ups, two causes"
    assert found["generate_report"] == found["send_email"] == found["record_event"]
    assert all(TRACE.fullmatch(each) for each in found["send_email"])
    for trace in found["send_email"]:
        rows = json.loads(CliRunner().invoke(cli.main, ["messages", "--trace", trace, "--json"]).output)["messages"]
        assert {row["actor"] for row in rows} == {"generate_report", "send_email", "record_event"}
        [(began,)] = run(connection, "SELECT dramatiq.trace_began(%s)", trace)
        assert run(connection, "SELECT count(*) FROM pgmq.a_email_queue WHERE enqueued_at = %s", began) == [(1,)]
    for other in ("0" * 32, checkup, "anna@example.com", ""):
        assert run(connection, "SELECT dramatiq.trace_began(%s)", other) == [(None,)]


def test_a_mail_is_found_by_the_trace_of_what_it_came_of(
    clinic: Clinic, connection: Connection, worker: dramatiq.Worker, database: str, provider: Any
) -> None:
    actors.publish(database)
    user = clinic.add_user()
    checkup = clinic.add_checkup(user)
    clinic.rows("UPDATE public.assessments SET status = 'completed', completed_at = now() WHERE id = %s", checkup)
    until(lambda: run(connection, "SELECT count(*) FROM balansity.delivery WHERE state = 'sent'") == [(1,)])
    [(trace,)] = run(connection, "SELECT trace FROM balansity.delivery")
    invoke = CliRunner().invoke
    listed = json.loads(invoke(cli.main, ["messages", "--trace", trace, "--json"]).output)
    assert [row["actor"] for row in listed["messages"]] == ["send_email"]
    assert (
        trace in invoke(cli.main, ["deliveries", "checkup"]).output
        or trace in invoke(cli.main, ["deliveries", "--json"]).output
    )
    assert user in invoke(cli.main, ["person", trace]).output
    run(connection, "DELETE FROM dramatiq.queue")
    assert user in invoke(cli.main, ["person", trace]).output, "the ledger keeps it longer than the message"


def test_a_trace_that_is_none_is_refused_with_what_it_must_be(environment: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(cli.main, ["messages", "--trace", "yesterday"])
    assert said.exit_code == 2
    assert "'yesterday' must be 32 hexadecimal letters" in said.output


def test_a_messages_page_leads_to_all_of_its_trace(
    environment: pytest.MonkeyPatch, connection: Connection, database: str
) -> None:
    actors.publish(database)
    client: FlaskClient = open_pages(environment)
    first = generate_report.send(assessment_id="a")
    other = generate_report.send_with_options(kwargs={"assessment_id": "b"}, trace=first.message_id.replace("-", ""))
    stranger = generate_report.send(assessment_id="c")
    page = client.get(f"/messages/{other.message_id}", auth=OPERATOR).text
    address = re.search(r'href="(/messages\?about=trace[^"]+)"', page)
    assert address
    found = client.get(address[1], auth=OPERATOR).text
    assert first.message_id in found
    assert other.message_id in found
    assert stranger.message_id not in found
    application.flush_all()
