"""A report says what the scores say, in words that people understand."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

import pypdf
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain import report_text
from domain.report import Report, day_in_words, full_name, years
from domain.report_font import RUSSIAN, printable
from domain.report_formats import digest, render
from domain.report_text import SCALES as SCALE_WORDS
from domain.report_text import next_steps, summary
from domain.scoring import SCALES, Answer, score

ASSESSMENT = UUID("0a1b2c3d-0000-4000-8000-000000000001")
KINDS = sorted(SCALES)


def make_report(kind: str = "checkup", value: int = 1, person: str | None = "Маша Иванова") -> Report:
    """A report whose every answer is `value`; a value below 0 means skipped."""
    questions = {number: answer_type for scale in SCALES[kind] for number, answer_type in scale.questions.items()}
    answers = [Answer(number, answer_type, value) for number, answer_type in questions.items()]
    return Report(ASSESSMENT, kind, person, date(2018, 4, 2), date(2026, 11, 23), score(kind, None, answers))


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 1, 3])
def test_pdf_shows_every_scale_with_its_points_threshold_and_status(kind: str, value: int) -> None:
    report = make_report(kind, value)
    text = text_of(render(report, "pdf").content)
    for each in report.scores:
        assert SCALE_WORDS[each.scale.name][0] in text
        assert f"{each.points} из {each.scale.maximum}" in text
        assert f"порог {each.scale.threshold}" in text
    assert text.count("Требует внимания") >= sum(each.status == "concerning" for each in report.scores)


def test_pdf_names_the_person_the_date_and_that_it_is_no_diagnosis() -> None:
    text = text_of(render(make_report(), "pdf").content)
    assert "Маша Иванова" in text
    assert "8 лет · 23 ноября 2026 года" in text
    assert "не ставит диагноз" in text.replace("\n", " ")


def test_pdf_has_a_title_a_language_bookmarks_and_page_numbers() -> None:
    pdf = pypdf.PdfReader(io.BytesIO(render(make_report(), "pdf").content))
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Результаты чекапа"
    assert str(pdf.root_object["/Lang"]) == "ru-RU"
    assert [str(each["/Title"]) for each in pdf.outline if isinstance(each, dict)] == [
        "Главное",
        "Результаты по шкалам",
        "Влияние на жизнь",
        "Что дальше",
    ]
    for number, page in enumerate(pdf.pages, start=1):
        assert f"{number} из {len(pdf.pages)}" in page.extract_text()
        assert [round(float(side)) for side in page.mediabox[2:]] == [595, 842]  # A4


@pytest.mark.parametrize("format_name", ["pdf", "csv", "json"])
def test_same_report_gives_the_same_bytes(format_name: str) -> None:
    assert render(make_report(), format_name) == render(make_report(), format_name)


def test_reports_made_in_many_threads_are_the_same() -> None:
    reports = [make_report(value=number % 5, person=f"Маша {number}") for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda report: render(report, "pdf"), reports))
    assert made == [render(report, "pdf") for report in reports]


def test_digest_changes_with_the_answers_and_with_nothing_else() -> None:
    assert digest(make_report(value=1)) == digest(make_report(value=1)) != digest(make_report(value=2))


@pytest.mark.parametrize("kind", KINDS)
def test_csv_and_json_carry_the_same_numbers(kind: str) -> None:
    report = make_report(kind, 2)
    rows = list(csv.DictReader(io.StringIO(render(report, "csv").content.decode("utf-8-sig"))))
    scales = json.loads(render(report, "json").content)["scales"]
    assert [(row["scale"], int(row["score"]), row["status"]) for row in rows] == [
        (each["scale"], each["score"], each["status"]) for each in scales
    ]
    assert [each["score"] for each in scales] == [each.points for each in report.scores]


@hypothesis_settings(deadline=None)
@given(st.text(max_size=300))
def test_any_name_fits_on_the_cover(name: str) -> None:
    report = make_report("parent", person=full_name(name, None))
    pdf = pypdf.PdfReader(io.BytesIO(render(report, "pdf").content))
    assert len(pdf.pages) == 2
    first_words = printable(report.person or "").split(" ")[0][:20]
    assert first_words in pdf.pages[0].extract_text().replace("\xa0", " ")


def test_every_sentence_of_ours_is_in_the_small_font() -> None:
    texts = [value for name, value in vars(report_text).items() if name.isupper()]
    assert {letter for letter in repr(texts) if ord(letter) not in RUSSIAN} == set()


def test_a_name_of_another_alphabet_is_shown_by_the_wide_font() -> None:
    assert "Әлия Çelik" in text_of(render(make_report(person="Әлия Çelik"), "pdf").content)


def test_missing_answers_are_said_and_not_shown_as_fine() -> None:
    report = Report(
        ASSESSMENT, "checkup", None, None, date(2026, 11, 23), score("checkup", None, [Answer(2, "default", 3)])
    )
    text = text_of(render(report, "pdf").content)
    assert "Учтено ответов: 1 из 5" in text
    assert "Ответов нет, оценить нельзя" in text
    assert summary(report)[0] != "Все в порядке"
    assert next_steps(report)[0][0] == "Ответьте на остальные вопросы"


def test_summary_names_what_needs_attention_and_what_is_near_it() -> None:
    results = {"anxiety": {"score": 5, "status": "concerning"}, "depression": {"score": 3, "status": "borderline"}}
    report = Report(ASSESSMENT, "parent", None, None, date(2026, 11, 23), score("parent", results, []))
    assert "Требует внимания: «Тревога». Близко к порогу: «Сниженное настроение»." in summary(report)[1]


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
