"""A report says what the scores say, in words that people understand."""

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pypdf
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import settings
from domain import report_text
from domain.report import Report, day_in_words, full_name, years
from domain.report_canvas import COLOURS, HEIGHT, INNER, MARGIN, TRACK, WIDTH, Canvas
from domain.report_font import RUSSIAN
from domain.report_formats import digest, render
from domain.report_pdf import BAR, draw
from domain.report_text import SCALES as SCALE_WORDS
from domain.report_text import next_steps, summary
from domain.scoring import SCALES, Answer, Status, score

ASSESSMENT = UUID("0a1b2c3d-0000-4000-8000-000000000001")
KINDS = sorted(SCALES)


def make_report(
    kind: str = "checkup", value: int = 1, person: str | None = "Маша Иванова", reader: str | None = None
) -> Report:
    """A report whose every answer is `value`; a value below 0 means skipped."""
    questions = {number: answer_type for scale in SCALES[kind] for number, answer_type in scale.questions.items()}
    answers = [Answer(number, answer_type, value) for number, answer_type in questions.items()]
    return Report(ASSESSMENT, kind, person, date(2018, 4, 2), date(2026, 11, 23), score(kind, None, answers), reader)


def report_of(kind: str, status: Status) -> Report:
    """A report whose every scale has `status`, as the site would say it; with one answer where data are to lack."""
    if status is Status.INCOMPLETE:
        first = SCALES[kind][0].questions
        scores = score(kind, None, [Answer(min(first), first[min(first)], 0)])
    else:
        scores = score(kind, {scale.name: {"score": 0, "status": status.value} for scale in SCALES[kind]}, [])
    return Report(ASSESSMENT, kind, "Маша", None, date(2026, 11, 23), scores)


def text_of(pdf: bytes) -> str:
    return "\n".join(pages_of(pdf))


def pages_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


class Recorder(Canvas):
    """A canvas that remembers its filled boxes, its symbols, and how far its lines of text reach."""

    def __init__(self, report: Report) -> None:
        self.boxes: list[tuple[tuple[int, ...], float, float, float, float]] = []  # colour, x, y, width, height
        self.symbols: list[Status] = []
        self.lines: list[tuple[str, float, float, float]] = []  # text, its left and right end, baseline
        super().__init__("", report.answered_on, "ễ")
        draw(self, report)

    def rect(self, x: float, y: float, w: float, h: float, *args: Any, **kwargs: Any) -> None:
        colour: Any = self.fill_color
        self.boxes.append((tuple(round(255 * part) for part in colour.colors), x, y, w, h))
        super().rect(x, y, w, h, *args, **kwargs)

    def symbol(self, status: Status, x: float, y: float, size: float) -> None:
        self.symbols.append(status)
        super().symbol(status, x, y, size)

    def text(self, x: float, y: float, text: str = "") -> None:
        self.lines.append((text, x, x + self.get_string_width(text), y))
        super().text(x, y, text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 1, 3])
def test_pdf_shows_every_scale_with_its_points_threshold_and_status(kind: str, value: int) -> None:
    report = make_report(kind, value)
    text = text_of(render(report, "pdf").content)
    for each in report.scores:
        assert SCALE_WORDS[each.scale.name][0] in text
        assert f"{each.points} из {each.scale.maximum}" in text
        assert f"порог {each.scale.threshold}" in text
        assert report_text.STATUSES[each.status] in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 1, 3])
def test_every_bar_is_as_long_as_its_points_and_its_threshold_stands_in_its_place(kind: str, value: int) -> None:
    report = make_report(kind, value)
    boxes = Recorder(report).boxes
    tracks = [(x, y, width) for colour, x, y, width, height in boxes if colour == TRACK and height == BAR]
    assert [(x, width) for x, _, width in tracks] == [(MARGIN, INNER)] * len(report.scores)
    for each, (_, y, _) in zip(report.scores, tracks, strict=True):
        filled = [box for box in boxes if box[2] == y and box[0] == COLOURS[each.status]]
        lengths = [width / INNER for _, x, _, width, height in filled if (x, height) == (MARGIN, BAR)]
        assert lengths == pytest.approx([each.points / each.scale.maximum] if each.points else [])
        [mark] = [box for box in boxes if y - 2 < box[2] < y and box[2] + box[4] > y + BAR]
        middle = mark[1] + mark[3] / 2
        assert (middle - MARGIN) / INNER == pytest.approx(each.scale.threshold / each.scale.maximum)


def test_every_status_has_a_shape_and_a_lightness_of_its_own() -> None:
    shapes = set()
    for status in Status:
        canvas = Canvas("", date(2026, 11, 23))
        canvas.symbol(status, 50, 50, 10)
        [page] = pypdf.PdfReader(io.BytesIO(canvas.contents())).pages
        drawn = page.get_contents()
        assert drawn is not None
        shapes.add(re.sub(rb"[\d. ]+ (rg|RG|g|G)\n", b"", drawn.get_data()))
    assert len(shapes) == len(Status)
    lightness = [sum(part * weight for part, weight in zip(COLOURS[status], (0.3, 0.59, 0.11), strict=True))
                 for status in (Status.TYPICAL, Status.BORDERLINE, Status.CONCERNING)]  # fmt: skip
    assert min(abs(one - other) for one in lightness for other in lightness if one != other) > 20


def test_each_scale_and_each_tile_has_the_symbol_of_its_status() -> None:
    results = {"emotional": {"score": 13, "status": "borderline"}, "conduct": {"score": 14, "status": "concerning"}}
    answers = [Answer(number, "default", 0) for number in range(2, 13)]
    report = Report(ASSESSMENT, "checkup", None, None, date(2026, 11, 23), score("checkup", results, answers))
    tiles = [Status.TYPICAL, Status.BORDERLINE, Status.CONCERNING, Status.INCOMPLETE]
    assert {each.status for each in report.scores} >= {Status.BORDERLINE, Status.CONCERNING, Status.INCOMPLETE}
    assert Recorder(report).symbols == tiles + [each.status for each in report.scores]


HEADLINES = {
    Status.TYPICAL: "Все в порядке",
    Status.BORDERLINE: "В целом спокойно, есть к чему присмотреться",
    Status.CONCERNING: "Есть то, чему важно уделить внимание",
    Status.INCOMPLETE: "Для вывода не хватает ответов",
}
FIRST_STEPS = {
    Status.TYPICAL: "Продолжайте то, что помогает",
    Status.BORDERLINE: "Понаблюдайте две-четыре недели",
    Status.CONCERNING: "Запишитесь на консультацию",
    Status.INCOMPLETE: "Ответьте на остальные вопросы",
}
AT_HOME = {"checkup": "Поговорите с ребенком", "parent": "Позаботьтесь о себе", "family": "Поговорите друг с другом"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", list(Status))
def test_the_cover_says_the_main_thing_and_the_last_page_what_to_do(kind: str, status: Status) -> None:
    report = report_of(kind, status)
    pages = [in_one_line(page) for page in pages_of(render(report, "pdf").content)]
    assert f" {HEADLINES[status]} " in pages[0]
    assert in_one_line(summary(report)[1]) in pages[0]
    assert "Чекап — это скрининг" in pages[0]
    assert f" 1 {FIRST_STEPS[status]} " in pages[-1]
    assert f" {AT_HOME[kind]} " in pages[-1]
    for action, reason in next_steps(report):
        assert in_one_line(f"{action} {reason}") in pages[-1]
    assert "Если помощь нужна сейчас" in pages[-1]
    assert "позвоните 112." in pages[-1]


def test_missing_answers_are_asked_for_beside_what_needs_attention() -> None:
    scores = score("parent", None, [Answer(2, "frequency", 3), Answer(3, "frequency", 3), Answer(4, "frequency", 1)])
    report = Report(ASSESSMENT, "parent", "Анна", None, date(2026, 11, 23), scores)
    steps = [action for action, _ in next_steps(report)]
    assert steps[:3] == ["Запишитесь на консультацию", "Возьмите отчет с собой", "Ответьте на остальные вопросы"]
    assert Recorder(report).pages_count == 2


def test_only_a_childs_report_names_the_childrens_hotline() -> None:
    named = {kind: "8-800-2000-122" in text_of(render(make_report(kind), "pdf").content) for kind in KINDS}
    assert named == {"checkup": True, "parent": False, "family": False}


def test_pdf_names_the_person_the_date_and_that_it_is_no_diagnosis() -> None:
    text = text_of(render(make_report(), "pdf").content)
    assert "\nМаша Иванова\n" in text
    assert "\n8 лет · 23 ноября 2026 года\n" in text
    assert "не ставит диагноз" in text.replace("\n", " ")


def test_the_cover_says_whom_the_report_is_for_where_that_is_known() -> None:
    for person, facts in (("Маша Иванова", "8 лет · 23 ноября 2026 года · Для: Анна"), (None, " · Для: Анна")):
        assert facts in pages_of(render(make_report(person=person, reader="Анна"), "pdf").content)[0]
    assert "Для:" not in text_of(render(make_report(), "pdf").content)


def test_every_page_says_whose_report_it_is_and_when_it_was_answered() -> None:
    pdf = render(make_report(), "pdf").content
    for page in pages_of(pdf):
        assert "Balansity · Результаты чекапа · 23 ноября 2026 года · Маша Иванова" in page
    for page in pages_of(render(make_report(person="Ж" * 500), "pdf").content):
        assert "Balansity · Результаты чекапа · 23 ноября 2026 года · ЖЖЖ" in page


def test_a_cover_without_a_name_leaves_no_room_for_one() -> None:
    with_name, without = Recorder(make_report()), Recorder(make_report(person=None))
    assert with_name.boxes[0][4] - without.boxes[0][4] > 20


def test_pdf_has_a_title_a_language_bookmarks_and_page_numbers() -> None:
    pdf = pypdf.PdfReader(io.BytesIO(render(make_report(), "pdf").content))
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Результаты чекапа, Маша Иванова, 23 ноября 2026 года"
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


MADE_ELSEWHERE = """
import hashlib
from domain.report_formats import FORMATS, render
from tests.unit.test_report import make_report
print(*(hashlib.sha256(render(make_report(), name).content).hexdigest() for name in FORMATS))
"""


def test_another_process_makes_the_same_bytes() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "12345"}  # sets and their order differ
    made = subprocess.run(
        [sys.executable, "-c", MADE_ELSEWHERE], cwd=settings.ROOT, env=environment, capture_output=True, check=True
    )
    ours = [hashlib.sha256(render(make_report(), name).content).hexdigest() for name in ("pdf", "csv", "json")]
    assert made.stdout.decode().split() == ours


def test_reports_made_in_many_threads_are_the_same() -> None:
    reports = [make_report(value=number % 5, person=f"Маша {number}") for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda report: render(report, "pdf"), reports))
    assert made == [render(report, "pdf") for report in reports]


def test_digest_changes_with_the_answers_and_with_nothing_else() -> None:
    report = make_report(value=1)
    assert digest(report) == digest(make_report(value=1)) != digest(make_report(value=2))
    assert digest(report) == digest(replace(report, answered_on=date(2026, 11, 24)))
    assert digest(report) != digest(replace(report, person="Миша"))


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
@given(st.text(max_size=300), st.text(max_size=300))
@example("Щедролюбова" * 20, "Ж" * 300)
@example("Анна " * 60, "W" * 300)
def test_any_name_stays_on_the_page(name: str, reader: str) -> None:
    report = make_report("parent", person=full_name(name, None), reader=full_name(reader, None))
    assert render(report, "pdf").content
    canvas = Recorder(report)
    assert canvas.pages_count == 2
    for text, left, right, baseline in canvas.lines:
        assert left >= MARGIN - 0.01, text
        assert right <= WIDTH - MARGIN + 0.01, text
        assert 20 < baseline < HEIGHT - 10, text


@pytest.mark.parametrize("name", ["გიორგი", "Мария 王", "محمد"])
def test_a_name_that_the_font_cannot_show_is_said_to_be_missing(name: str) -> None:
    cover = pages_of(render(make_report(person=name), "pdf").content)[0]
    assert "\nИмя не удалось напечатать\n" in cover


def test_a_name_without_its_emoji_is_shown() -> None:
    assert "\nМаша Иванова\n" in text_of(render(make_report(person="Маша 🌸 Иванова"), "pdf").content)


def test_a_name_that_is_too_long_ends_with_an_ellipsis() -> None:
    [cover, *_] = pages_of(render(make_report(person="Анна " * 100), "pdf").content)
    assert re.search(r"(Анна )+Анна?…\n8 лет", cover)


def test_every_sentence_of_ours_is_in_the_small_font() -> None:
    texts = [value for name, value in vars(report_text).items() if name.isupper()]
    assert {letter for letter in repr(texts) if ord(letter) not in RUSSIAN} == set()


def test_a_name_of_another_alphabet_is_shown_by_the_wide_font() -> None:
    assert "\nӘлия Çelik Nguyễn\n" in text_of(render(make_report(person="Әлия Çelik Nguyễn"), "pdf").content)


def test_missing_answers_are_said_and_not_shown_as_fine() -> None:
    report = Report(
        ASSESSMENT, "checkup", None, None, date(2026, 11, 23), score("checkup", None, [Answer(2, "default", 3)])
    )
    text = text_of(render(report, "pdf").content)
    assert text.count("Неполные данные") == len(report.scores) + 2  # one a scale, the summary and the tile
    assert {each.status for each in report.scores} == {Status.INCOMPLETE}
    for row in csv.DictReader(io.StringIO(render(report, "csv").content.decode("utf-8-sig"))):
        assert (row["status"], row["status_text"]) == ("incomplete", "Неполные данные")
    for scale in json.loads(render(report, "json").content)["scales"]:
        assert (scale["status"], scale["status_text"]) == ("incomplete", "Неполные данные")
    assert "Учтено ответов: 1 из 5" in text
    assert "Ответов нет, оценить нельзя" in text
    assert summary(report)[0] != "Все в порядке"
    assert next_steps(report)[0][0] == "Ответьте на остальные вопросы"


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
