"""Check-ups that reports are made of, and what became of them."""

from typing import Any

from reports.scoring import SCALES
from tests.clinic import Clinic


def answer(clinic: Clinic, assessment_id: str, value: int = 1, kind: str = "checkup") -> None:
    """Answer every question of a check-up with `value`, anew where it was answered before."""
    clinic.rows("DELETE FROM public.answers WHERE assessment_id = %s", assessment_id)
    for scale in SCALES[kind]:
        for number, answer_type in scale.questions.items():
            clinic.rows(
                "INSERT INTO public.answers (assessment_id, question_id, answer_type, value) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (assessment_id, question_id) DO NOTHING",
                *(assessment_id, number, answer_type, value),
            )


def completed_checkup(clinic: Clinic, user_id: str | None, value: int = 1) -> str:
    assessment_id = clinic.add_checkup(user_id)
    answer(clinic, assessment_id, value)
    clinic.rows("UPDATE public.assessments SET status = 'completed', completed_at = now() WHERE id = %s", assessment_id)
    return assessment_id


def mails(clinic: Clinic) -> list[dict[str, Any]]:
    """What has been sent to the e-mail actor."""
    found = clinic.rows("SELECT message -> 'kwargs' FROM dramatiq.queue WHERE queue_name = 'emails' ORDER BY position")
    return [kwargs for (kwargs,) in found]


def kept(clinic: Clinic, assessment_id: str) -> list[tuple[Any, ...]]:
    return clinic.rows(
        "SELECT id, format, user_id, size_bytes FROM balansity.report WHERE assessment_id = %s ORDER BY created_at",
        assessment_id,
    )
