"""Which results a report tells: the site's, its function's, or those of newer answers."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg2
import pytest

import db.connection
from actors.reports import generate_report
from errors import PermanentError, RetryableError
from gateways import report_storage
from tests.clinic import Clinic
from tests.integration.report_cases import answer, completed_checkup, kept, mails


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
