"""Scores of a check-up: what the site decided where it did, else from the answers by the table below."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What a score says, in the site's words and two of our own."""

    TYPICAL = "typical"
    BORDERLINE = "borderline"
    CONCERNING = "concerning"
    INCOMPLETE = "incomplete"  # with the answers that are missing it may need attention: nobody can say that it is fine
    UNCLEAR = "unclear"  # the site said something of it that we cannot read


# How the site names them; rows that it wrote years ago name the impact instead.
STATUS_BY_NAME = {
    "typical": Status.TYPICAL,
    "borderline": Status.BORDERLINE,
    "concerning": Status.CONCERNING,
    "low_impact": Status.TYPICAL,
    "medium_impact": Status.BORDERLINE,
    "high_impact": Status.CONCERNING,
}
MOST_POINTS = 1_000  # neither more nor infinitely many are a score
MOST_UNKNOWN = 30  # scales that a report shows beside those that it knows
NOT_FINE = {Status.BORDERLINE, Status.CONCERNING, Status.UNCLEAR}
NO_SCALE = {"calculated_at"}  # what the site writes beside the scales


@dataclass(frozen=True)
class Scale:
    """A group of questions whose answers are added up; the higher the score, the harder things are."""

    name: str
    maximum: int
    threshold: int  # needs attention from here on, where the site decides nothing
    questions: Mapping[int, str]  # question_id: the answer_type it must have
    parts: tuple["Scale", ...] = ()  # the scales that it sums up, if any

    @property
    def highest_answer(self) -> int:
        return self.maximum // len(self.questions)

    @property
    def is_sum(self) -> bool:
        return self.name in SUMS

    @property
    def is_impact(self) -> bool:
        return self.name == "impact" or self.name.startswith("impact_")


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
SUMS = {TOTAL.name, "total"}  # the site writes them as bare numbers, and decides nothing about them


@dataclass(frozen=True)
class Answer:
    """One answer as it is stored: reverse-scored already, negative when skipped."""

    question_id: int
    answer_type: str | None  # None: the site did not say, and the scale's own is meant
    value: int


@dataclass(frozen=True)
class Score:
    """What one scale came to; `points` is None where nobody knows them, `status` where nobody decided, as of a sum."""

    scale: Scale
    points: float | None
    status: Status | None
    answered: int | None = None  # of the scale's questions; None where the site's result counts
    is_sites: bool = False  # the site decided

    @property
    def is_partial(self) -> bool:
        return self.answered is not None and 0 < self.answered < len(self.scale.questions)

    @property
    def maximum(self) -> int | None:
        """The most points there are, where that is known: the site may ask other questions than the table knows."""
        return self.scale.maximum if (self.points or 0) <= self.scale.maximum != 0 else None

    @property
    def threshold(self) -> int | None:
        """None where the site decided: its thresholds are its own."""
        return None if self.is_sites or self.status is None else self.scale.threshold


@dataclass(frozen=True)
class Result:
    """What the site wrote about one scale."""

    points: float | None
    status: Status | None

    @classmethod
    def read(cls, written: object) -> "Result":
        """Nothing where it is nothing that we can read, however odd."""
        fields: Mapping[str, Any] = written if isinstance(written, Mapping) else {"score": written}
        points: Any = fields.get("score")
        name = fields.get("status")
        is_number = isinstance(points, int | float) and not isinstance(points, bool)
        status = None if name in (None, "") else STATUS_BY_NAME.get(str(name), Status.UNCLEAR)
        return cls(_plain(points) if is_number and 0 <= points < MOST_POINTS else None, status)

    def fits(self, scale: Scale) -> bool:
        """Whether its points may be those of the scale as the table has it."""
        return self.points is not None and self.points <= scale.maximum and self.points == int(self.points)


def score(
    assessment_type: str,
    summary: Mapping[str, Any] | None,
    answers: Iterable[Answer],
    *,
    answers_are_newer: bool = False,
    site_scores: Mapping[str, Any] | None = None,
) -> tuple[Score, ...]:
    """Every scale of the assessment, in its fixed order, then those that only the site knows.

    The site's result of a scale goes before its answers, unless they are newer and come to other points. `site_scores`
    is what the site's own function says of the answers: with it the table decides nothing. None: there is none.
    """
    written = _merged(summary or {}, site_scores, answers_are_newer)
    sheet = {answer.question_id: answer for answer in answers}
    newer = answers_are_newer and not site_scores
    decides = {name for name, what in written.items() if Result.read(what).status}
    results = {name: Result.read(written[name]) for name in written if name not in NO_SCALE}
    known = [_score(scale, results, sheet, newer) for scale in SCALES[assessment_type]]
    if site_scores and decides:  # the site decides by itself, and said nothing of the others
        known = [each for each in known if each.is_sites or (each.scale.is_sum and each.scale.name in written)]
    if "impact" in decides:  # the same questions once more
        known = [each for each in known if each.is_sites or not each.scale.is_impact]
    return (*known, *_unknown(SCALES[assessment_type], written, results))


def lacks(assessment_type: str, summary: Mapping[str, Any]) -> bool:
    """Whether the site's results say nothing of a scale that it is to be asked about."""
    decided = {name for name, what in summary.items() if Result.read(what).status}
    return any(
        scale.name not in decided
        for scale in SCALES[assessment_type]
        if not scale.is_sum and not ("impact" in decided and scale.is_impact)
    )


def _merged(summary: Mapping[str, Any], asked: Mapping[str, Any] | None, newer: bool) -> dict[str, Any]:
    """What the site says: what it wrote, completed by what its function says, or that alone where answers are newer."""
    if not asked:
        return dict(summary)
    if newer:
        return dict(asked)
    return {**asked, **{name: what for name, what in summary.items() if Result.read(what) != Result(None, None)}}


def _score(scale: Scale, results: Mapping[str, Result], sheet: Mapping[int, Answer], newer: bool) -> Score:
    values = [sheet[number].value for number in scale.questions if number in sheet and _counts(scale, sheet[number])]
    result = results.get(scale.name, Result(None, None))
    is_outdated = newer and result.points != _sum(values)
    if result.status and not is_outdated:
        return Score(scale, result.points, result.status, is_sites=True)
    parts = [_score(part, results, sheet, newer) for part in scale.parts]
    if result.fits(scale) and not is_outdated:
        points = result.points
    else:
        points = _sum(part.points for part in parts) if parts else _sum(values)
    answered = len(values) if sheet else None
    status = _status(scale, points, answered)
    if any(part.is_sites or (status is Status.TYPICAL and part.status in NOT_FINE) for part in parts):
        return Score(scale, points, None, answered)  # the number alone: it must not contradict its parts
    return Score(scale, points, status, answered)


def _unknown(known: Iterable[Scale], written: Mapping[str, Any], results: Mapping[str, Result]) -> Iterable[Score]:
    """The scales that the table does not have; of one without a status nobody can say that it is fine."""
    names = results.keys() - {scale.name for scale in known}
    shown = sorted(name for name in names if isinstance(written[name], Mapping) or name in SUMS)
    for name in [each for each in shown if results[each] != Result(None, None)][:MOST_UNKNOWN]:
        result, scale = results[name], Scale(name, 0, 0, {})
        yield Score(scale, result.points, result.status or (None if scale.is_sum else Status.UNCLEAR), is_sites=True)


def _status(scale: Scale, points: float | None, answered: int | None) -> Status:
    """The threshold's status; typical only where the missing answers could not reach the threshold."""
    if points is None:
        return Status.INCOMPLETE
    missing = len(scale.questions) - answered if answered else 0  # the site's points of answers that we lack stand
    if points >= scale.threshold:
        return Status.CONCERNING
    return (
        Status.INCOMPLETE if missing and points + missing * scale.highest_answer >= scale.threshold else Status.TYPICAL
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _plain(sum(known)) if known else None


def _plain(points: float) -> float:
    """Whole points without a fraction, others with one digit of it."""
    return int(points) if points == int(points) else round(points, 1)


def _counts(scale: Scale, answer: Answer) -> bool:
    """Whether the answer was given, is of the scale's kind and within its range (so in `family`: below 6)."""
    return (
        answer.answer_type in {None, scale.questions[answer.question_id]} and 0 <= answer.value <= scale.highest_answer
    )
