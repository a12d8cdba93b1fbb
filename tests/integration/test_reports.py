"""A check-up's report is made once, kept, and mailed in the same transaction."""

import email
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import dramatiq
import psycopg2
import pytest

import db.connection
import settings
from actors.reports import generate_report, remove_old_reports
from broker import broker
from errors import InvalidMessage, PermanentError
from gateways import report_storage
from tests.clinic import Clinic
from tests.integration.report_cases import answer, completed_checkup, kept, mails
from tests.waiting import until


def test_a_report_is_kept_and_its_mail_sent_together(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    assessment_id = completed_checkup(clinic, user_id)
    generate_report(assessment_id=assessment_id, user_id=user_id, report_type="pdf", created_at="whenever")
    [(report_id, report_format, owner_id, size)] = kept(clinic, assessment_id)
    digest = clinic.value("SELECT digest FROM balansity.report")
    assert (report_format, owner_id) == ("pdf", user_id)
    assert mails(clinic) == [
        {
            "to": "anna@example.com",
            "subject": "Ваш отчет готов",
            "template": "report_ready",
            "variables": {"name": None, "assessment_id": assessment_id, "profile_name": "Мария"},
            "report_id": report_id,
            "user_id": user_id,
            "key": f"report_ready:{assessment_id}:pdf:{digest}",
        }
    ]
    with db.database.transaction() as conn:
        file = report_storage.load(conn, UUID(report_id))
    assert file.content.startswith(b"%PDF-")
    assert (len(file.content), file.media_type) == (size, "application/pdf")
    assert file.filename.endswith(".pdf")


def test_a_completed_checkup_ends_as_one_mail_with_its_report(clinic: Clinic) -> None:
    assessment_id = clinic.add_checkup(clinic.add_user())
    answer(clinic, assessment_id)
    worker = dramatiq.Worker(broker, queues={"reports", "emails"}, worker_timeout=100, worker_threads=2)
    worker.start()
    try:
        clinic.rows("UPDATE public.assessments SET status = 'completed' WHERE id = %s", assessment_id)
        sent = "SELECT count(*) FROM balansity.delivery WHERE template = 'report_ready' AND state = 'sent'"
        until(lambda: clinic.value(sent), "the report_ready mail leaves")
    finally:
        worker.stop()
    outbox = [
        email.message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=default)
        for file in settings.current().email_outbox_dir.glob("*.eml")
    ]
    [attachment] = [part for mail in outbox for part in mail.iter_attachments()]
    content = clinic.value("SELECT content FROM balansity.report WHERE assessment_id = %s", assessment_id)
    assert (attachment.get_content_type(), attachment.get_content()) == ("application/pdf", bytes(content))


def test_a_repeated_request_makes_no_second_report_and_no_second_mail(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    for _ in range(3):
        generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == 1
    assert len(mails(clinic)) == 1


def test_workers_that_make_the_same_report_at_once_keep_and_mail_it_once(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    start = Barrier(4)

    def work() -> None:
        start.wait()
        generate_report(assessment_id=assessment_id)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(clinic, assessment_id)) == len(mails(clinic)) == 1


def test_a_completion_time_that_the_site_fills_in_later_makes_no_second_report(clinic: Clinic) -> None:
    assessment_id = clinic.add_checkup(clinic.add_user())
    answer(clinic, assessment_id)
    clinic.rows(
        "UPDATE public.assessments SET status = 'completed', started_at = '2026-01-02', updated_at = '2026-01-02' "
        "WHERE id = %s",
        assessment_id,
    )
    clinic.rows("UPDATE public.answers SET created_at = '2026-01-05 12:00+03'")
    generate_report(assessment_id=assessment_id)
    assert "2026-01-05" in clinic.value("SELECT filename FROM balansity.report")  # not the day it was begun
    clinic.rows("UPDATE public.assessments SET completed_at = '2026-01-06' WHERE id = %s", assessment_id)
    generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == len(mails(clinic)) == 1


def test_a_report_that_is_made_again_after_its_removal_has_the_key_of_the_mail_before(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    generate_report(assessment_id=assessment_id)
    clinic.rows("DELETE FROM balansity.report")
    generate_report(assessment_id=assessment_id)
    first, second = mails(clinic)
    assert first["key"] == second["key"]


@pytest.mark.parametrize("status", ["in_progress", "abandoned"])
def test_a_checkup_that_is_not_completed_has_no_report(clinic: Clinic, status: str) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    clinic.rows("UPDATE public.assessments SET status = %s WHERE id = %s", status, assessment_id)
    with pytest.raises(PermanentError, match=f"is {status}: only a completed one has a report"):
        generate_report(assessment_id=assessment_id)
    assert not kept(clinic, assessment_id)
    assert not mails(clinic)


@pytest.mark.parametrize("report_type", ["csv", "json"])
def test_other_formats_are_kept_beside_the_pdf(clinic: Clinic, report_type: str) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    generate_report(assessment_id=assessment_id)
    generate_report(assessment_id=assessment_id, report_type=report_type)
    assert [report_format for _, report_format, _, _ in kept(clinic, assessment_id)] == ["pdf", report_type]


def test_a_failure_after_the_report_leaves_neither_report_nor_mail(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    clinic.rows("ALTER TABLE dramatiq.queue ADD CONSTRAINT broken CHECK (queue_name <> 'emails')")
    with pytest.raises(psycopg2.errors.CheckViolation):
        generate_report(assessment_id=assessment_id)
    assert kept(clinic, assessment_id) == []
    clinic.rows("ALTER TABLE dramatiq.queue DROP CONSTRAINT broken")
    generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == len(mails(clinic)) == 1


def test_a_checkup_without_a_profile_has_a_report_whose_mail_has_no_address(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, None)
    generate_report(assessment_id=assessment_id, user_id=None)
    assert len(kept(clinic, assessment_id)) == 1
    assert [mail["to"] for mail in mails(clinic)] == [None]


def test_a_user_without_an_address_has_a_report_all_the_same(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(None))
    generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == 1
    assert [mail["to"] for mail in mails(clinic)] == [None]


def test_an_unknown_assessment_is_named(clinic: Clinic) -> None:
    missing = str(uuid4())
    with pytest.raises(PermanentError, match=f"no assessment {missing}"):
        generate_report(assessment_id=missing)


def test_a_checkup_of_a_kind_that_nobody_can_score_is_named(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    clinic.rows("ALTER TABLE public.assessments DROP CONSTRAINT assessments_assessment_type_check")
    clinic.rows("UPDATE public.assessments SET assessment_type = 'school' WHERE id = %s", assessment_id)
    with pytest.raises(PermanentError, match=r"'school': only checkup, parent, family score"):
        generate_report(assessment_id=assessment_id)


def test_a_report_is_never_sent_to_somebody_elses_user(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user("anna@example.com"))
    stranger = clinic.add_user("stranger@example.com")
    with pytest.raises(PermanentError, match=stranger):
        generate_report(assessment_id=assessment_id, user_id=stranger)
    assert mails(clinic) == []


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({}, "assessment_id is missing"),
        ({"assessment_id": "seven"}, "assessment_id is wrong"),
        ({"assessment_id": str(uuid4()), "report_type": "docx"}, "report_type is wrong"),
        ({"assessment_id": str(uuid4()), "user_id": 5}, "user_id is wrong"),
    ],
)
def test_a_message_of_a_wrong_shape_is_refused_by_name(payload: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidMessage, match=named):
        generate_report(**payload)


def test_old_reports_and_those_of_removed_checkups_are_removed(clinic: Clinic) -> None:
    old, removed, fresh = (completed_checkup(clinic, clinic.add_user()) for _ in range(3))
    for assessment_id in (old, removed, fresh):
        generate_report(assessment_id=assessment_id)
    clinic.rows("UPDATE balansity.report SET created_at = now() - interval '366 days' WHERE assessment_id = %s", old)
    clinic.rows("DELETE FROM public.assessments WHERE id = %s", removed)
    slot = datetime.now(UTC).replace(microsecond=0)
    remove_old_reports(slot=slot.isoformat())
    assert [len(kept(clinic, each)) for each in (old, removed, fresh)] == [0, 0, 1]


def test_a_report_that_was_removed_is_named(clinic: Clinic) -> None:
    with db.database.transaction() as conn, pytest.raises(PermanentError, match="no report"):
        report_storage.load(conn, uuid4())
