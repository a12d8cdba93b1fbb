"""A person who asks to be forgotten leaves no address, no report and no link; the counts stay."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import dramatiq
import pytest
from click.testing import CliRunner

import actors
import db.connection
import settings
from actors.emails import send_email
from broker import broker
from cli import main
from db import queries
from gateways import report_storage
from gateways.report_storage import ReportFile, ReportKey
from tests.clinic import Clinic
from tests.integration.forget_cases import AT, forget, live_with_the_service, traces
from tests.terminal import answered
from tests.waiting import until


def live(clinic: Clinic, address: str) -> tuple[str, str]:
    """A user with traces everywhere; returns their id and their check-up's."""
    actors.publish(db.database.url())
    user_id = clinic.add_user(address)
    assessment_id = clinic.add_checkup(user_id)
    with db.database.transaction() as conn:
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
    queries.analytics.record(clinic.connection, events=json.dumps([event]), zone="Europe/Moscow", at=AT)
    clinic.rows("UPDATE public.assessments SET status = 'completed' WHERE id = %s", assessment_id)  # fires the trigger
    clinic.rows("SELECT pgmq.archive('email_queue', max(msg_id)) FROM pgmq.q_email_queue")
    send_email.send(to=address, subject="Тема", template="report_ready", variables={"name": "Анна"}, user_id=user_id)
    return user_id, assessment_id


@pytest.fixture
def work(clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Starts a worker when first called, and waits until nothing is left to do."""
    worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=4)

    def wait() -> None:
        if not worker.consumers:
            worker.start()
        until(clinic.is_worked_off, "all messages are done")

    yield wait
    worker.stop()


@pytest.mark.parametrize("site_is_first", [True, False], ids=["after the site", "before the site"])
def test_a_person_with_whom_everything_was_done_leaves_no_trace_in_any_table(
    clinic: Clinic, work: Callable[[], None], site_is_first: bool
) -> None:
    theirs = live_with_the_service(clinic, "anna@example.com", "Аграфена", "Тёркина")
    others = live_with_the_service(clinic, "boris@example.com", "Василиса", "Обломова")
    work()
    before = traces(clinic, *others)
    assert {"balansity.delivery", "balansity.report", "balansity.analytics_event", "balansity.reminder",
            "dramatiq.queue", "pgmq.a_email_queue", "pgmq.a_payment_processing_queue"} <= before.keys()  # fmt: skip
    assert len(list(settings.current().email_outbox_dir.iterdir())) == 10
    if site_is_first:
        clinic.rows("DELETE FROM public.users WHERE id = %s", theirs[0])
    told = forget(theirs[0])
    assert told["removed"]["reports"] == 1
    assert told["removed"]["mail files in the outbox folder"] == told["removed"]["addresses in the mail ledger"] == 5
    if not site_is_first:  # what guards the site's rows against a second reminder and settlement goes with them
        assert traces(clinic, *theirs).keys() == {"balansity.reminder", "balansity.payment_settlement"}
        clinic.rows("DELETE FROM public.users WHERE id = %s", theirs[0])
        forget(theirs[0])
    assert traces(clinic, *theirs) == {}
    assert traces(clinic, *others) == before
    assert len(list(settings.current().email_outbox_dir.iterdir())) == 5


def test_nothing_of_a_forgotten_person_is_left_and_nothing_of_others_is_gone(clinic: Clinic) -> None:
    user_id, assessment_id = live(clinic, "anna@example.com")
    others = live(clinic, "boris@example.com")
    before = traces(clinic, *others, "boris@example.com")
    assert traces(clinic, user_id, assessment_id, "anna@example.com") == before
    assert len(before) >= 9
    assert forget(user_id)["removed"] == {
        "reports": 1,
        "report files without a report": 0,
        "mail files in the outbox folder": 1,
        "addresses in the mail ledger": 1,
        "addresses in the list of suppressed ones": 1,
        "reasons of decisions about payments": 0,
        "links in analytics events": 1,
        "messages of the broker": 1,
        "messages of pgmq, archived ones too": 3,
        "doubts about mails before a restore": 0,
        "notes about deleted appointments and payments": 0,
    }
    assert traces(clinic, user_id, assessment_id, "anna@example.com") == {}
    assert traces(clinic, *others, "boris@example.com") == before
    assert [path.read_text() for path in settings.current().email_outbox_dir.iterdir()] == ["To: boris@example.com\n"]
    assert clinic.value("SELECT sum(events)::int FROM balansity.analytics_daily") == 2


def test_a_person_whom_the_site_has_removed_can_be_forgotten(clinic: Clinic) -> None:
    user_id, _ = live(clinic, "anna@example.com")
    clinic.rows("DELETE FROM public.users WHERE id = %s", user_id)
    assert CliRunner().invoke(main, ["forget", user_id, "--yes"]).exit_code == 0
    assert traces(clinic, user_id, "anna@example.com") == {}


def test_forgetting_asks_first_and_may_be_repeated(clinic: Clinic) -> None:
    user_id, _ = live(clinic, "anna@example.com")
    refused = answered("n", "forget", user_id)
    assert (refused.returncode, "It cannot be undone" in refused.stderr) == (1, True)
    for more in ([], ["--json"]):
        unasked = CliRunner().invoke(main, ["forget", user_id, *more], input="y\n")
        assert (unasked.exit_code, "say --yes" in unasked.output) == (2, True)
    assert traces(clinic, user_id)
    for _ in range(2):
        assert CliRunner().invoke(main, ["forget", user_id, "--yes"]).exit_code == 0


def test_a_user_id_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(main, ["forget", "anna@example.com"])
    assert result.exit_code == 2
    assert "'anna@example.com' is not a valid UUID" in result.output


def test_a_file_whose_row_was_lost_is_removed_too(
    clinic: Clinic, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("REPORT_STORAGE_URL", f"file://{tmp_path}/reports")
    settings.current.cache_clear()
    user_id, other_id = clinic.add_user("anna@example.com"), clinic.add_user("boris@example.com")
    for owner_id in (user_id, other_id):
        lost = tmp_path / "reports" / clinic.add_checkup(owner_id) / f"{owner_id}.pdf"
        lost.parent.mkdir(parents=True)
        lost.write_bytes(b"%PDF-")
    assert forget(user_id)["removed"]["report files without a report"] == 1
    assert [path.stem for path in tmp_path.rglob("*.pdf")] == [other_id]
