"""A check-up's report is made once, kept, and mailed in the same transaction."""

import email
import json
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
from errors import InvalidMessage, PermanentError, RetryableError
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


def test_results_that_the_site_writes_later_are_the_same_report(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    generate_report(assessment_id=assessment_id)
    summary = {"emotional": {"score": 5, "status": "typical"}, "total_difficulties": 20, "calculated_at": "2026-11-23"}
    clinic.rows(
        "UPDATE public.assessments SET results_summary = %s, updated_at = now() WHERE id = %s",
        *(json.dumps(summary), assessment_id),
    )
    generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == 1


SUMMARY = {
    "emotional": {"score": 5, "status": "typical"}, "conduct": {"score": 5, "status": "typical"},
    "hyperactivity": {"score": 5, "status": "typical"}, "peer_problems": {"score": 5, "status": "typical"},
    "impact_child": {"score": 1, "status": "typical"}, "impact_parent": {"score": 2, "status": "typical"},
    "impact_family": {"score": 6, "status": "concerning"}, "total_difficulties": 20,
}  # fmt: skip


def set_results(clinic: Clinic, assessment_id: str, calculated_at: datetime | None) -> None:
    """As the site writes them for a check-up whose every answer is 1."""
    results = SUMMARY | {"calculated_at": calculated_at and calculated_at.isoformat()}
    clinic.rows(
        "UPDATE public.assessments SET results_summary = %s, updated_at = now() WHERE id = %s",
        *(json.dumps(results), assessment_id),
    )


def test_changed_answers_make_a_new_version(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(), 1)
    generate_report(assessment_id=assessment_id)
    answer(clinic, assessment_id, 3)
    generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == 2
    assert len(mails(clinic)) == 2


def test_answers_that_came_after_the_sites_results_count(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(), 1)
    set_results(clinic, assessment_id, datetime.now(UTC))
    generate_report(assessment_id=assessment_id)
    answer(clinic, assessment_id, 4)
    generate_report(assessment_id=assessment_id, report_type="json")
    assert scores(clinic, assessment_id)[:2] == [20, 20]
    generate_report(assessment_id=assessment_id)
    assert len(kept(clinic, assessment_id)) == 3


def test_answers_that_were_changed_in_place_count_where_the_site_keeps_their_time(clinic: Clinic) -> None:
    clinic.rows("ALTER TABLE public.answers ADD COLUMN updated_at timestamptz")
    assessment_id = completed_checkup(clinic, clinic.add_user(), 1)
    set_results(clinic, assessment_id, datetime.now(UTC))
    clinic.rows("UPDATE public.answers SET value = 4, updated_at = now()")
    generate_report(assessment_id=assessment_id, report_type="json")
    assert scores(clinic, assessment_id)[:2] == [20, 20]


@pytest.mark.parametrize("calculated_at", [datetime(2100, 1, 1, tzinfo=UTC), None])
def test_the_sites_results_count_unless_answers_are_known_to_be_newer(
    clinic: Clinic, calculated_at: datetime | None
) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(), 4)
    set_results(clinic, assessment_id, calculated_at)
    generate_report(assessment_id=assessment_id, report_type="json")
    assert scores(clinic, assessment_id)[:2] == [5, 5]


def facts(clinic: Clinic, assessment_id: str) -> dict[str, Any]:
    """The kept JSON report."""
    [report_id] = [row[0] for row in kept(clinic, assessment_id) if row[1] == "json"]
    with db.database.transaction() as conn:
        found: dict[str, Any] = json.loads(report_storage.load(conn, UUID(report_id)).content)
    return found


def scores(clinic: Clinic, assessment_id: str) -> list[int]:
    return [scale["score"] for scale in facts(clinic, assessment_id)["scales"]]


SITES_FUNCTION = """
    CREATE FUNCTION public.calculate_checkup_scores(p_assessment_id uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
        SELECT jsonb_build_object('emotional', jsonb_build_object('score', sum(value), 'status', 'concerning'))
        FROM answers WHERE assessment_id = p_assessment_id AND question_id BETWEEN 2 AND 6
    $$
"""


def test_results_that_are_missing_are_asked_of_the_sites_function(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(), 1)
    clinic.rows(SITES_FUNCTION)
    generate_report(assessment_id=assessment_id, report_type="json")
    [scale] = facts(clinic, assessment_id)["scales"]
    assert (scale["scale"], scale["score"], scale["status"], scale["threshold"]) == ("emotional", 5, "concerning", None)


def test_a_function_of_somebody_else_is_not_the_sites(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(), 1)
    clinic.rows(SITES_FUNCTION)
    clinic.rows("DROP ROLE IF EXISTS planter")
    clinic.rows("CREATE ROLE planter")
    clinic.rows("GRANT CREATE ON SCHEMA public TO planter")
    clinic.rows("ALTER FUNCTION public.calculate_checkup_scores(uuid) OWNER TO planter")
    try:
        generate_report(assessment_id=assessment_id, report_type="json")
    finally:
        clinic.rows("DROP OWNED BY planter")
        clinic.rows("DROP ROLE planter")
    assert facts(clinic, assessment_id)["scales"][0]["status"] == "typical"


def test_a_function_of_the_sites_that_fails_makes_no_report_of_ours(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user(), 1)
    clinic.rows(SITES_FUNCTION.replace("sum(value)", "sum(value / 0)"))
    with pytest.raises(psycopg2.errors.DivisionByZero):
        generate_report(assessment_id=assessment_id)
    assert kept(clinic, assessment_id) == []


def test_the_report_says_whom_it_is_about_and_for_whom(clinic: Clinic) -> None:
    user_id = clinic.add_user()
    clinic.rows("INSERT INTO public.profiles (user_id, type, first_name) VALUES (%s, 'parent', 'Анна')", user_id)
    child = completed_checkup(clinic, user_id)
    generate_report(assessment_id=child, report_type="json")
    assert (facts(clinic, child)["person"], facts(clinic, child)["reader"]) == ("Мария Ёлкина", "Анна")
    own = completed_checkup(clinic, user_id)
    clinic.rows(
        "UPDATE public.assessments SET profile_id = (SELECT id FROM public.profiles WHERE type = 'parent') "
        "WHERE id = %s",
        own,
    )
    generate_report(assessment_id=own, report_type="json")
    assert (facts(clinic, own)["person"], facts(clinic, own)["reader"]) == ("Анна", None)


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


def test_answers_that_are_still_missing_are_waited_for_but_not_for_ever(clinic: Clinic) -> None:
    assessment_id = clinic.add_checkup(clinic.add_user())
    clinic.rows("UPDATE public.assessments SET status = 'completed', completed_at = now() WHERE id = %s", assessment_id)
    with pytest.raises(RetryableError, match=assessment_id):
        generate_report(assessment_id=assessment_id)
    clinic.rows(
        "UPDATE public.assessments SET completed_at = now() - interval '11 minutes', "
        "updated_at = now() - interval '1 day' WHERE id = %s",
        assessment_id,
    )
    with pytest.raises(PermanentError, match="nothing to report"):
        generate_report(assessment_id=assessment_id)
    assert kept(clinic, assessment_id) == []


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


def test_results_of_an_odd_shape_give_way_to_the_answers(clinic: Clinic) -> None:
    assessment_id = completed_checkup(clinic, clinic.add_user())
    clinic.rows("UPDATE public.assessments SET results_summary = '[1, 2]' WHERE id = %s", assessment_id)
    generate_report(assessment_id=assessment_id, report_type="json")
    [(report_id, *_)] = kept(clinic, assessment_id)
    with db.database.transaction() as conn:
        facts = json.loads(report_storage.load(conn, UUID(report_id)).content)
    assert facts["scales"][0] | {"title": ""} == {
        "scale": "emotional", "title": "", "score": 5, "maximum": 20, "threshold": 12, "status": "typical",
        "status_text": "Все в порядке", "answered": 5, "questions": 5,
    }  # fmt: skip


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
