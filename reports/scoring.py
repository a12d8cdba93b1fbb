"""Scores of a check-up: from the site's results where they are usable, else from the answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What a score says, in the site's words and one of our own."""

    TYPICAL = "typical"
    BORDERLINE = "borderline"
    CONCERNING = "concerning"
    INCOMPLETE = "incomplete"  # with the answers that are missing it may need attention: nobody can say that it is fine


# How the site names them; rows that it wrote years ago name the impact instead.
STATUS_BY_NAME = {
    "typical": Status.TYPICAL,
    "borderline": Status.BORDERLINE,
    "concerning": Status.CONCERNING,
    "low_impact": Status.TYPICAL,
    "medium_impact": Status.BORDERLINE,
    "high_impact": Status.CONCERNING,
}


@dataclass(frozen=True)
class Scale:
    """A group of questions whose answers are added up; the higher the score, the harder things are."""

    name: str
    maximum: int
    threshold: int  # needs attention from here on
    questions: Mapping[int, str]  # question_id: the answer_type it must have
    parts: tuple["Scale", ...] = ()  # the scales that it sums up, if any

    @property
    def highest_answer(self) -> int:
        return self.maximum // len(self.questions)


def _questions(first: int, last: int, answer_type: str) -> dict[int, str]:
    return dict.fromkeys(range(first, last + 1), answer_type)


DIFFICULTIES = (
    Scale("emotional", 20, 12, _questions(2, 6, "default")),
    Scale("conduct", 20, 12, _questions(7, 11, "default")),
    Scale("hyperactivity", 20, 12, _questions(12, 16, "default")),
    Scale("peer_problems", 20, 15, _questions(17, 21, "default")),
)
TOTAL = Scale("total_difficulties", 80, 51, _questions(2, 21, "default"), DIFFICULTIES)
IMPACT = (
    Scale("impact_child", 4, 2, _questions(23, 23, "impact")),
    Scale("impact_parent", 8, 3, _questions(30, 31, "impact")),
    Scale("impact_family", 24, 6, _questions(24, 29, "impact")),
)
SCALES: Mapping[str, tuple[Scale, ...]] = {
    "checkup": (*DIFFICULTIES, TOTAL, *IMPACT),
    "parent": (
        Scale("anxiety", 6, 4, _questions(2, 3, "frequency")),
        Scale("depression", 6, 4, _questions(4, 5, "frequency")),
    ),
    "family": (
        Scale("family_stress", 4, 3, _questions(1, 1, "wellbeing")),
        Scale("partner_relationship", 10, 6, {2: "relationship", 3: "frequency"}),
        Scale("coparenting", 10, 6, _questions(4, 5, "frequency")),
    ),
}


@dataclass(frozen=True)
class Answer:
    """One answer as it is stored: reverse-scored already, negative when skipped."""

    question_id: int
    answer_type: str | None  # None: the site did not say, and the scale's own is meant
    value: int


@dataclass(frozen=True)
class Score:
    """What one scale came to; `points` is None when nothing was answered."""

    scale: Scale
    points: int | None
    status: Status
    answered: int | None  # of the scale's questions; None when only the site's result is known

    @property
    def is_partial(self) -> bool:
        return self.answered is not None and 0 < self.answered < len(self.scale.questions)


def score(
    assessment_type: str,
    summary: Mapping[str, Any] | None,
    answers: Iterable[Answer],
    *,
    answers_are_newer: bool = False,
) -> tuple[Score, ...]:
    """Every scale of the assessment, in its fixed order.

    The site's result of a scale goes before its answers, unless they are newer and come to other points.
    """
    sheet = {answer.question_id: answer for answer in answers}
    return tuple(_score(scale, summary or {}, sheet, answers_are_newer) for scale in SCALES[assessment_type])


def _score(scale: Scale, summary: Mapping[str, Any], sheet: Mapping[int, Answer], answers_are_newer: bool) -> Score:
    values = [sheet[number].value for number in scale.questions if number in sheet and _counts(scale, sheet[number])]
    points, status = _site_result(scale, summary.get(scale.name))
    if answers_are_newer and points != _sum(values):
        points, status = None, None
    if points is None:
        parts = [_score(part, summary, sheet, answers_are_newer).points for part in scale.parts]
        points = _sum(parts) if parts else _sum(values)
    answered = len(values) if sheet else None
    return Score(scale, points, _status(scale, points, status, answered), answered)


def _status(scale: Scale, points: int | None, site_status: Status | None, answered: int | None) -> Status:
    """The site's status or the threshold's; typical only where the missing answers could not reach the threshold."""
    if points is None:
        return Status.INCOMPLETE
    status = site_status or (Status.CONCERNING if points >= scale.threshold else Status.TYPICAL)
    missing = len(scale.questions) - answered if answered else 0  # the site's points of answers that we lack stand
    if status is Status.TYPICAL and missing and points + missing * scale.highest_answer >= scale.threshold:
        return Status.INCOMPLETE
    return status


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _counts(scale: Scale, answer: Answer) -> bool:
    """Whether the answer was given, is of the scale's kind and within its range (so in `family`: below 6)."""
    return (
        answer.answer_type in {None, scale.questions[answer.question_id]} and 0 <= answer.value <= scale.highest_answer
    )


def _site_result(scale: Scale, result: object) -> tuple[int | None, Status | None]:
    """The site's points and status of a scale; no points where they are missing or impossible."""
    fields = result if isinstance(result, Mapping) else {"score": result}
    points = fields.get("score")
    if isinstance(points, bool) or not isinstance(points, int | float):
        return None, None
    if not 0 <= points <= scale.maximum or points != int(points):
        return None, None
    return int(points), STATUS_BY_NAME.get(str(fields.get("status")))
