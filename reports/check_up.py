"""A stored check-up, and the report that it makes."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from reports.report import Report, full_name
from reports.scoring import SCALES, Answer, lacks, score


class CheckUp(BaseModel):
    """One row of `assessments` with its profile, its answers and its owner's address."""

    id: UUID
    assessment_type: str
    status: str  # in_progress, completed or abandoned
    results_summary: Any
    answered_at: datetime  # when it was completed; where the site does not say, the last answer
    last_answer_at: datetime | None
    changed_at: datetime
    first_name: str | None
    last_name: str | None
    birthday: date | None
    owner_id: UUID | None
    email: str | None
    reader_name: str | None  # how mail greets the owner
    answers: list[Answer]

    @property
    def wants_site_scores(self) -> bool:
        """Whether the site's results are missing, in part or as the answers are now: its functions are to be asked."""
        if self.assessment_type not in SCALES:
            return False
        return lacks(self.assessment_type, self._summary()) or self._answers_are_newer()

    def report(self, zone: ZoneInfo, site_scores: object = None) -> Report:
        """`site_scores` is what the site's function says; None where there is none, or nobody asked."""
        return Report(
            assessment_id=self.id,
            assessment_type=self.assessment_type,
            person=full_name(self.first_name, self.last_name),
            birthday=self.birthday,
            answered_on=self.answered_at.astimezone(zone).date(),
            scores=score(
                self.assessment_type,
                self._summary(),
                self.answers,
                answers_are_newer=self._answers_are_newer(),
                site_scores=site_scores if isinstance(site_scores, dict) else None,
            ),
            reader=full_name(self.reader_name, None) if self.reader_name != self.first_name else None,
        )

    def _summary(self) -> dict[str, Any]:
        """The site's results; empty where they are missing or of an odd shape."""
        return self.results_summary if isinstance(self.results_summary, dict) else {}

    def _answers_are_newer(self) -> bool:
        """Whether an answer was written after the site calculated its results; False where nobody can know."""
        calculated_at = _time(self._summary().get("calculated_at"))
        return bool(calculated_at and self.last_answer_at and calculated_at < self.last_answer_at)


def _time(value: object) -> datetime | None:
    """An ISO 8601 time; None where it is none or lacks its zone."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else None
