"""Scores follow domain.md's table, whether the site computed them or we do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.scoring import DIFFICULTIES, MOST_UNKNOWN, SCALES, STATUS_BY_NAME, Answer, Score, Status, score
from tests.live.site import RESULTS as LIVE

# domain.md's table once more, written out as the site's developers read it.
TABLE = [
    ("checkup", "emotional", [2, 3, 4, 5, 6], ["default"] * 5, 20, 12),
    ("checkup", "conduct", [7, 8, 9, 10, 11], ["default"] * 5, 20, 12),
    ("checkup", "hyperactivity", [12, 13, 14, 15, 16], ["default"] * 5, 20, 12),
    ("checkup", "peer_problems", [17, 18, 19, 20, 21], ["default"] * 5, 20, 15),
    ("checkup", "impact_child", [23], ["impact"], 4, 2),
    ("checkup", "impact_parent", [30, 31], ["impact"] * 2, 8, 3),
    ("checkup", "impact_family", [24, 25, 26, 27, 28, 29], ["impact"] * 6, 24, 6),
    ("parent", "anxiety", [2, 3], ["frequency"] * 2, 6, 4),
    ("parent", "depression", [4, 5], ["frequency"] * 2, 6, 4),
    ("family", "family_stress", [1], ["wellbeing"], 4, 3),
    ("family", "partner_relationship", [2, 3], ["relationship", "frequency"], 10, 6),
    ("family", "coparenting", [4, 5], ["frequency"] * 2, 10, 6),
]


def by_name(scores: tuple[Score, ...]) -> dict[str, Score]:
    return {each.scale.name: each for each in scores}


def full_sheet(assessment_type: str, value: int) -> list[Answer]:
    questions = {number: kind for scale in SCALES[assessment_type] for number, kind in scale.questions.items()}
    return [Answer(number, kind, value) for number, kind in questions.items()]


@st.composite
def answer_sheets(draw: st.DrawFn) -> tuple[str, list[Answer]]:
    """Any assessment with any of its questions answered, skipped, missing, of a wrong kind or out of range."""
    assessment_type = draw(st.sampled_from(sorted(SCALES)))
    kinds = st.sampled_from(["default", "impact", "frequency", "wellbeing", "relationship"])
    right = {number: kind for scale in SCALES[assessment_type] for number, kind in scale.questions.items()}
    numbers = draw(st.lists(st.integers(1, 33), unique=True))
    kind_of = {number: draw(st.one_of(st.just(right.get(number, "default")), kinds)) for number in numbers}
    return assessment_type, [Answer(number, kind, draw(st.integers(-1, 9))) for number, kind in kind_of.items()]


def as_the_site_would(assessment_type: str, answers: list[Answer]) -> dict[str, Any]:
    """results_summary, computed the long way round from the table above."""
    given_answers = {(each.question_id, each.answer_type): each.value for each in answers if each.value >= 0}
    summary: dict[str, Any] = {}
    for kind, scale, numbers, answer_types, maximum, threshold in TABLE:
        found = [given_answers.get(pair, 99) for pair in zip(numbers, answer_types, strict=True)]
        values = [value for value in found if value <= maximum / len(numbers)]
        if kind == assessment_type and values:
            status = "concerning" if sum(values) >= threshold else "typical"
            summary[scale] = {"score": sum(values), "status": status}
    difficulties = [summary[scale.name]["score"] for scale in DIFFICULTIES if scale.name in summary]
    if difficulties:
        summary["total_difficulties"] = sum(difficulties)
    return summary


@given(answer_sheets())
def test_scores_from_answers_equal_the_sites_results(sheet: tuple[str, list[Answer]]) -> None:
    assessment_type, answers = sheet
    ours = score(assessment_type, None, answers)
    sites = score(assessment_type, as_the_site_would(assessment_type, answers), [])
    assert [each.points for each in ours] == [each.points for each in sites]
    complete = [number for number, each in enumerate(ours) if each.answered == len(each.scale.questions)]
    assert [ours[number].status for number in complete] == [sites[number].status for number in complete]


@given(answer_sheets())
def test_nothing_is_fine_that_the_missing_answers_could_change(sheet: tuple[str, list[Answer]]) -> None:
    assessment_type, answers = sheet
    questions = {number: (kind, scale) for scale in SCALES[assessment_type] for number, kind in scale.questions.items()}
    given_answers = {each.question_id: each for each in answers}
    worst = [
        each
        if (each := given_answers.get(number)) and each.answer_type == kind and 0 <= each.value <= scale.highest_answer
        else Answer(number, kind, scale.highest_answer)
        for number, (kind, scale) in questions.items()
    ]
    for now, then in zip(score(assessment_type, None, answers), score(assessment_type, None, worst), strict=True):
        if now.status is Status.TYPICAL:
            assert then.status is Status.TYPICAL
        elif now.status is Status.INCOMPLETE:
            assert then.status is Status.CONCERNING
            assert (now.points or 0) < now.scale.threshold


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([0], Status.INCOMPLETE),
        ([0, 0], Status.INCOMPLETE),  # and 12 more at most
        ([0, 0, 0], Status.TYPICAL),
        ([3, 3, 3, 2], Status.INCOMPLETE),
        ([2, 2, 2, 1], Status.TYPICAL),
        ([4, 4, 4], Status.CONCERNING),
    ],
)
def test_a_scale_is_fine_only_where_its_missing_answers_could_not_reach_the_threshold(
    values: list[int], status: Status
) -> None:
    answers = [Answer(number, "default", value) for number, value in enumerate(values, start=2)]
    assert by_name(score("checkup", None, answers))["emotional"].status is status


@given(answer_sheets())
def test_no_score_leaves_its_scale(sheet: tuple[str, list[Answer]]) -> None:
    for each in score(sheet[0], None, sheet[1]):
        assert each.points is None or 0 <= each.points <= each.scale.maximum
        assert (each.points is None) == (not each.answered)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[1])
def test_a_full_sheet_reaches_the_maximum(row: tuple[str, str, list[int], list[str], int, int]) -> None:
    kind, name, numbers, answer_types, maximum, threshold = row
    highest = maximum // len(numbers)
    answers = [Answer(number, each, highest) for number, each in zip(numbers, answer_types, strict=True)]
    result = by_name(score(kind, {}, answers))[name]
    assert (result.points, result.scale.threshold, result.status) == (maximum, threshold, Status.CONCERNING)


def test_total_difficulties_add_up_the_four_scales() -> None:
    result = by_name(score("checkup", None, full_sheet("checkup", 3)))
    assert result["total_difficulties"].points == sum(result[scale.name].points or 0 for scale in DIFFICULTIES) == 60
    assert result["total_difficulties"].status is Status.CONCERNING


def test_a_missing_total_is_the_sum_of_the_sites_own_scales() -> None:
    summary = {scale.name: {"score": 4, "status": "typical"} for scale in DIFFICULTIES}
    total = by_name(score("checkup", summary, []))["total_difficulties"]
    assert (total.points, total.status, total.threshold) == (16, None, None)  # the site decided nothing about it


@pytest.mark.parametrize(("points", "status"), [(50, Status.TYPICAL), (51, Status.CONCERNING)])
def test_a_bare_total_gets_its_status_from_the_threshold(points: int, status: Status) -> None:
    assert by_name(score("checkup", {"total_difficulties": points}, []))["total_difficulties"].status is status


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("high_impact", Status.CONCERNING),
        ("medium_impact", Status.BORDERLINE),
        ("low_impact", Status.TYPICAL),
        ("borderline", Status.BORDERLINE),
        ("a word of next year", Status.UNCLEAR),
        (["typical"], Status.UNCLEAR),
        (7, Status.UNCLEAR),
    ],
)
def test_old_and_unknown_status_names_are_read(name: object, status: Status) -> None:
    summary = {"impact_child": {"score": 2, "status": name}}
    assert by_name(score("checkup", summary, []))["impact_child"].status is status


@pytest.mark.parametrize(
    "broken", [None, {}, {"score": 99}, {"score": -1}, {"score": "12"}, {"score": True}, [], 2.5, float("inf")]
)
def test_an_unusable_result_gives_way_to_the_answers(broken: object) -> None:
    result = by_name(score("parent", {"anxiety": broken}, [Answer(2, "frequency", 3), Answer(3, "frequency", 1)]))
    assert (result["anxiety"].points, result["anxiety"].status) == (4, Status.CONCERNING)


def test_a_scale_without_answers_has_no_score() -> None:
    result = by_name(score("parent", None, [Answer(2, "frequency", 1), Answer(4, "frequency", -1)]))
    assert (result["depression"].points, result["depression"].status, result["depression"].answered) == (
        None,
        Status.INCOMPLETE,
        0,
    )
    assert result["anxiety"].is_partial


@pytest.mark.parametrize(
    ("value", "expected"), [(2, (4, Status.BORDERLINE)), (3, (6, Status.CONCERNING)), (-1, (None, Status.INCOMPLETE))]
)
def test_newer_answers_count_where_they_come_to_other_points(value: int, expected: tuple[int | None, Status]) -> None:
    summary = {"anxiety": {"score": 4, "status": "borderline"}}
    answers = [Answer(2, "frequency", value), Answer(3, "frequency", value), Answer(4, "frequency", 0)]
    result = by_name(score("parent", summary, answers, answers_are_newer=True))["anxiety"]
    assert (result.points, result.status) == expected
    older = by_name(score("parent", summary, answers))["anxiety"]
    assert (older.points, older.status) == (4, Status.BORDERLINE)


@pytest.mark.parametrize("kind", SCALES)
def test_an_answer_without_a_type_is_of_the_type_that_its_scale_has(kind: str) -> None:
    typed = [Answer(number, what, 1) for scale in SCALES[kind] for number, what in scale.questions.items()]
    untyped = [Answer(each.question_id, None, each.value) for each in typed]
    assert score(kind, None, untyped) == score(kind, None, typed)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**400), st.floats(), st.text(max_size=50),
    st.sampled_from(["typical", "borderline", "concerning", "high_impact"]),
)  # fmt: skip
RESULTS = st.dictionaries(
    st.one_of(
        st.sampled_from([row[1] for row in TABLE] + ["total_difficulties", "prosocial", "total"]), st.text(max_size=60)
    ),
    st.one_of(ODD, st.dictionaries(st.sampled_from(["score", "status", "note"]), ODD), st.lists(ODD, max_size=2)),
    max_size=40,
)


@given(answer_sheets(), RESULTS, st.one_of(st.none(), RESULTS))
def test_what_the_site_decided_is_what_is_told(
    sheet: tuple[str, list[Answer]], summary: dict[str, Any], asked: dict[str, Any] | None
) -> None:
    scores = by_name(score(sheet[0], summary, sheet[1], site_scores=asked))
    names = {name: what["status"] for name, what in summary.items() if isinstance(what, dict) and what.get("status")}
    for name, status in names.items():
        if name in scores:
            expected = STATUS_BY_NAME.get(str(status), Status.UNCLEAR)
            assert (scores[name].status, scores[name].threshold) == (expected, None)
    assert len(names.keys() - scores.keys() - {"calculated_at"}) <= max(0, len(names) - MOST_UNKNOWN)
    for each in scores.values():
        assert each.maximum is None or 0 <= (each.points or 0) <= each.maximum
        assert each.threshold is None or not each.is_sites


def test_the_live_sites_results_are_told_as_they_are() -> None:
    """Its thresholds are others: 5 of 20 is concerning, and 21 of 80 beside that is not called fine."""
    answers = full_sheet("checkup", 1)
    scores = by_name(score("checkup", LIVE, answers, site_scores={"emotional": LIVE["emotional"]}))
    assert {name: (each.points, each.status, each.threshold) for name, each in scores.items()} == {
        "emotional": (5, Status.CONCERNING, None),
        "total_difficulties": (21, None, None),
        "prosocial": (3, Status.CONCERNING, None),
    }


def test_the_sites_function_counts_where_results_are_missing_or_older_than_the_answers() -> None:
    answers, asked = (
        full_sheet("checkup", 1),
        {"emotional": {"score": 5, "status": "concerning"}, "total_difficulties": 20},
    )
    old = {"emotional": {"score": 2, "status": "typical"}}
    for summary, newer, status in ((None, False, "concerning"), (old, False, "typical"), (old, True, "concerning")):
        scores = score("checkup", summary, answers, answers_are_newer=newer, site_scores=asked)
        assert [(each.scale.name, each.status) for each in scores] == [
            ("emotional", Status(status)),
            ("total_difficulties", None),
        ]
    assert len(score("checkup", None, answers, site_scores={})) == len(SCALES["checkup"])  # it says nothing


def test_impact_in_one_scale_is_not_told_once_more_in_three() -> None:
    scores = by_name(score("checkup", {"impact": {"score": 9, "status": "high_impact"}}, full_sheet("checkup", 0)))
    assert scores["impact"].status is Status.CONCERNING
    assert not {"impact_child", "impact_parent", "impact_family"} & scores.keys()


@pytest.mark.parametrize(
    ("points", "shown"), [(22, (22, None)), (7.5, (7.5, 20)), ("12", (None, 20)), (-1, (None, 20))]
)
def test_a_status_stands_whatever_its_points_are(points: object, shown: tuple[float | None, int | None]) -> None:
    summary = {"emotional": {"score": points, "status": "borderline"}}
    result = by_name(score("checkup", summary, full_sheet("checkup", 4)))["emotional"]
    assert (result.status, (result.points, result.maximum)) == (Status.BORDERLINE, shown)
