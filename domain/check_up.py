"""A stored check-up, and the report that it makes."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from domain.report import Report, full_name
from domain.scoring import Answer, score


class CheckUp(BaseModel):
    """One row of `assessments` with its profile, its answers and its owner's address."""

    id: UUID
    assessment_type: str
    results_summary: Any
    answered_at: datetime
    changed_at: datetime
    first_name: str | None
    last_name: str | None
    birthday: date | None
    owner_id: UUID | None
    email: str | None
    reader_name: str | None  # how mail greets the owner
    answers: list[Answer]

    def report(self, zone: ZoneInfo) -> Report:
        summary = self.results_summary if isinstance(self.results_summary, dict) else None
        return Report(
            assessment_id=self.id,
            assessment_type=self.assessment_type,
            person=full_name(self.first_name, self.last_name),
            birthday=self.birthday,
            answered_on=self.answered_at.astimezone(zone).date(),
            scores=score(self.assessment_type, summary, self.answers),
        )
