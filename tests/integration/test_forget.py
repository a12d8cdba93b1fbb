"""A person who asks to be forgotten leaves no address, no report and no link; the counts stay."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

import db.connection
import settings
from actors.emails import send_email
from broker import broker
from cli import main
from db import queries
from domain.report_formats import ReportFile
from gateways import report_storage
from gateways.report_storage import ReportKey
from tests.clinic import Clinic

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Every place of ours that could hold an address or a link.
PLACES = """
    SELECT count(*) FROM (
        SELECT d::text FROM balansity.delivery d
        UNION ALL SELECT a::text FROM balansity.delivery_attempt a
        UNION ALL SELECT e::text FROM balansity.delivery_event e
        UNION ALL SELECT s::text FROM balansity.suppression s
        UNION ALL SELECT e::text FROM balansity.analytics_event e
        UNION ALL SELECT r::text FROM balansity.report r
        UNION ALL SELECT q::text FROM dramatiq.queue q
        UNION ALL SELECT q::text FROM pgmq.q_email_queue q
        UNION ALL SELECT q::text FROM pgmq.a_email_queue q
        UNION ALL SELECT q::text FROM pgmq.q_report_generation_queue q
        UNION ALL SELECT q::text FROM pgmq.q_analytics_queue q
    ) AS held (text)
    WHERE text ILIKE ANY (%s)
"""


@pytest.fixture
def clinic(environment: pytest.MonkeyPatch, connection: Connection) -> Iterator[Clinic]:
    yield Clinic(connection)
    broker.close()


def live(clinic: Clinic, address: str) -> tuple[str, str]:
    """A user with traces everywhere; returns their id and their check-up's."""
    user_id = clinic.add_user(address)
    assessment_id = clinic.add_checkup(user_id)
    with db.connection.transaction() as conn:
        file = ReportFile("report.pdf", "application/pdf", b"%PDF-")
        report_storage.save(conn, ReportKey(UUID(assessment_id), "pdf", "a" * 64), UUID(user_id), file, AT)
    delivery_id = clinic.value(
        "INSERT INTO balansity.delivery "
        "(key, template, recipient, user_id, reason, message_id, planned_at, changed_at) "
        "VALUES (%s, 'report_ready', %s, %s, %s, 'm', now(), now()) RETURNING id",
        *(str(uuid4()), address.upper(), user_id, f"bounced: {address}"),
    )
    outbox = settings.current().email_outbox_dir
    outbox.mkdir(exist_ok=True)
    (outbox / f"report_ready-{delivery_id}.eml").write_text(f"To: {address}\n", encoding="utf-8")
    clinic.rows(
        "INSERT INTO balansity.delivery_attempt (delivery_id, number, provider, started_at, answer) "
        "VALUES (%s, 1, 'smtp', now(), %s)",
        *(delivery_id, f"550 {address}"),
    )
    clinic.rows(
        "INSERT INTO balansity.delivery_event VALUES (%s, %s, 'bounced', %s, now(), now())",
        *(str(uuid4()), delivery_id, f"no mailbox {address}"),
    )
    clinic.rows("INSERT INTO balansity.suppression VALUES (%s, 'bounced', NULL, now())", address)
    event = {"key": f"checkup:{assessment_id}:completed", "type": "assessment_completed", "occurred_at": AT.isoformat(),
             "user_id": user_id, "facts": {"assessment_id": assessment_id, "user_id": user_id}}  # fmt: skip
    queries.load("analytics").record(clinic.connection, events=json.dumps([event]), zone="Europe/Moscow", at=AT)
    clinic.rows("UPDATE public.assessments SET status = 'completed' WHERE id = %s", assessment_id)  # fires the trigger
    clinic.rows("SELECT pgmq.archive('email_queue', max(msg_id)) FROM pgmq.q_email_queue")
    send_email.send(to=address, subject="Тема", template="report_ready", variables={"name": "Анна"}, user_id=user_id)
    return user_id, assessment_id


def traces(clinic: Clinic, *words: str) -> int:
    return int(clinic.value(PLACES, [f"%{word}%" for word in words]))


def test_nothing_of_a_forgotten_person_is_left_and_nothing_of_others_is_gone(clinic: Clinic) -> None:
    user_id, assessment_id = live(clinic, "anna@example.com")
    others = live(clinic, "boris@example.com")
    before = traces(clinic, *others, "boris@example.com")
    assert traces(clinic, user_id, assessment_id, "anna@example.com") == before >= 9
    result = CliRunner().invoke(main, ["forget", user_id, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["removed"] == {
        "reports": 1,
        "mail files in the outbox folder": 1,
        "addresses in the mail ledger": 1,
        "addresses in the list of suppressed ones": 1,
        "links in analytics events": 1,
        "messages of the broker": 1,
        "messages of pgmq, archived ones too": 3,
    }
    assert traces(clinic, user_id, assessment_id, "anna@example.com") == 0
    assert traces(clinic, *others, "boris@example.com") == before
    assert [path.read_text() for path in settings.current().email_outbox_dir.iterdir()] == ["To: boris@example.com\n"]
    assert clinic.value("SELECT sum(events)::int FROM balansity.analytics_daily") == 2


def test_a_person_whom_the_site_has_removed_can_be_forgotten(clinic: Clinic) -> None:
    user_id, _ = live(clinic, "anna@example.com")
    clinic.rows("DELETE FROM public.users WHERE id = %s", user_id)
    assert CliRunner().invoke(main, ["forget", user_id, "--yes"]).exit_code == 0
    assert traces(clinic, user_id, "anna@example.com") == 0


def test_forgetting_asks_first_and_may_be_repeated(clinic: Clinic) -> None:
    user_id, _ = live(clinic, "anna@example.com")
    refused = CliRunner().invoke(main, ["forget", user_id], input="n\n")
    assert refused.exit_code == 1
    assert traces(clinic, user_id) > 0
    for _ in range(2):
        assert CliRunner().invoke(main, ["forget", user_id, "--yes"]).exit_code == 0


def test_a_user_id_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(main, ["forget", "anna@example.com"])
    assert result.exit_code == 2
    assert "'anna@example.com' is not a valid UUID" in result.output
