"""A report says what the scores say, in words that people understand."""

from datetime import date

import pytest

from reports.report import Report, day_in_words, years
from reports.scoring import Answer, score
from reports.text import summary
from tests.unit.report_cases import ASSESSMENT


def test_summary_names_what_needs_attention_and_what_is_near_it() -> None:
    results = {"anxiety": {"score": 5, "status": "concerning"}, "depression": {"score": 3, "status": "borderline"}}
    report = Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), score("parent", results, []))
    assert "Требует внимания: «Тревога». Около порога: «Сниженное настроение»." in summary(report)[1]


def test_nothing_is_called_calm_while_data_are_incomplete() -> None:
    results = {"depression": {"score": 3, "status": "borderline"}}
    scores = score("parent", results, [Answer(2, "frequency", 1), Answer(4, "frequency", 3)])
    headline, meaning = summary(Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), scores))
    assert headline == "Есть к чему присмотреться"
    assert "Около порога: «Сниженное настроение»." in meaning
    assert "Неполные данные: «Тревога»." in meaning


@pytest.mark.parametrize(
    ("points", "status", "said"),
    [
        (3, "typical", "По всем шкалам результаты ниже порога внимания."),
        (5, "typical", "По всем шкалам результаты ниже порога внимания или около него."),
        (5, "borderline", "Около порога: «Тревога»."),
    ],
)
def test_the_summary_says_below_the_threshold_only_of_what_is_below(points: int, status: str, said: str) -> None:
    results = {"anxiety": {"score": points, "status": status}, "depression": {"score": 0, "status": "typical"}}
    report = Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), score("parent", results, []))
    assert said in summary(report)[1]


@pytest.mark.parametrize(
    ("age", "words"), [(1, "1 год"), (3, "3 года"), (11, "11 лет"), (12, "12 лет"), (21, "21 год")]
)
def test_years_are_written_as_russian_does(age: int, words: str) -> None:
    assert years(age) == words


def test_dates_are_written_as_russian_does() -> None:
    assert day_in_words(date(2026, 5, 9)) == "9 мая 2026 года"


@pytest.mark.parametrize(
    ("birthday", "age"), [(date(2018, 11, 23), 8), (date(2018, 11, 24), 7), (date(2027, 1, 1), None)]
)
def test_age_is_counted_on_the_day_of_the_answers(birthday: date, age: int | None) -> None:
    report = Report(ASSESSMENT, "parent", None, birthday, date(2026, 11, 23), ())
    assert report.age == age
