"""A report says what the scores say, in words that people understand."""

from datetime import date

import pytest

from reports.report import Report, day_in_words, years
from reports.scoring import Answer, score
from reports.text import how_to_read, summary
from tests.unit.report_cases import ASSESSMENT


def test_summary_names_what_needs_attention_and_what_is_near_it() -> None:
    results = {"anxiety": {"score": 5, "status": "concerning"}, "depression": {"score": 3, "status": "borderline"}}
    report = Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), score("parent", results, []))
    assert "Требует внимания: «Тревога». Погранично: «Сниженное настроение»." in summary(report)[1]


def test_nothing_is_called_calm_while_data_are_incomplete() -> None:
    results = {"depression": {"score": 3, "status": "borderline"}}
    scores = score("parent", results, [Answer(2, "frequency", 1), Answer(4, "frequency", 3)])
    headline, meaning = summary(Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), scores))
    assert headline == "Есть к чему присмотреться"
    assert "Погранично: «Сниженное настроение»." in meaning
    assert "Неполные данные: «Тревога»." in meaning


def test_the_summary_speaks_of_thresholds_only_where_they_are_the_tables() -> None:
    results = {"anxiety": {"score": 5, "status": "typical"}, "depression": {"score": 0, "status": "typical"}}
    answers = [Answer(number, "frequency", 0) for number in range(2, 6)]
    for summary_of, said in ((results, "По всем шкалам — «все в порядке»."), (None, "ниже порога внимания.")):
        report = Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), score("parent", summary_of, answers))
        assert said in summary(report)[1]
        assert ("порог" in summary(report)[1] + how_to_read(report)) == (summary_of is None)


def test_what_nobody_rated_is_not_called_fine() -> None:
    results: dict[str, object] = {"sleep": {"score": 9}, "anxiety": {"score": 1, "status": "typical"}}
    scores = score("parent", results, [], site_scores=results)
    headline, meaning = summary(Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), scores))
    assert headline == "Обсудите результаты со специалистом"
    assert "Нужно уточнить у специалиста: «Sleep»." in meaning


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
