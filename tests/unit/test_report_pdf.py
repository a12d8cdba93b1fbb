"""The PDF of a report shows what the scores say, to anyone who reads or prints it."""

import io
import re
from datetime import date

import pypdf
import pytest

from errors import PermanentError
from reports import text as words
from reports.canvas import COLOURS, HEIGHT, INNER, MARGIN, PLAIN, TRACK, WIDTH, Canvas
from reports.font import RUSSIAN
from reports.formats import render
from reports.pdf import BAR, TEXT
from reports.report import Report
from reports.scoring import Answer, Status, score
from reports.text import SCALES as SCALE_WORDS
from reports.text import next_steps, summary
from tests.unit.report_cases import ASSESSMENT, KINDS, Recorder, in_one_line, make_report, pages_of, report_of, text_of


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 1, 3])
def test_pdf_shows_every_scale_with_its_points_threshold_and_status(kind: str, value: int) -> None:
    report = make_report(kind, value)
    text = text_of(render(report, "pdf").content)
    for each in report.scores:
        assert SCALE_WORDS[each.scale.name][0] in text
        assert f"{each.points} из {each.scale.maximum}" in text
        assert f"порог {each.scale.threshold}" in text
        assert each.status is None or words.STATUSES[each.status] in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0, 1, 3])
def test_every_bar_is_as_long_as_its_points_and_its_threshold_stands_in_its_place(kind: str, value: int) -> None:
    report = make_report(kind, value)
    boxes = Recorder(report).boxes
    tracks = [(x, y, width) for colour, x, y, width, height in boxes if colour == TRACK and height == BAR]
    assert [(x, width) for x, _, width in tracks] == [(MARGIN, INNER)] * len(report.scores)
    for each, (_, y, _) in zip(report.scores, tracks, strict=True):
        colour = COLOURS[each.status] if each.status else PLAIN
        filled = [box for box in boxes if box[2] == y and box[0] == colour]
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
    assert Recorder(report).symbols == tiles + [each.status for each in report.scores if each.status]


def test_scales_that_only_the_site_knows_are_shown_however_many_and_whatever_they_are_called() -> None:
    results = {f"scale_{number} 🌸 王\n" + "Ж" * 300: {"score": number, "status": "typical"} for number in range(30)}
    scores = score("checkup", results | {"prosocial": {"score": 3, "status": "concerning"}}, [])
    report = Report(ASSESSMENT, "checkup", None, None, date(2026, 11, 23), scores)
    text = text_of(render(report, "pdf").content)
    assert "Отзывчивость" in text
    assert text.count("Scale ") >= 29
    canvas = Recorder(report)
    assert all(right <= WIDTH - MARGIN + 0.01 and baseline < HEIGHT - 10 for _, _, right, baseline in canvas.lines)


HEADLINES = {
    Status.TYPICAL: "Все в порядке",
    Status.BORDERLINE: "В целом спокойно, есть к чему присмотреться",
    Status.CONCERNING: "Есть то, чему важно уделить внимание",
    Status.INCOMPLETE: "Для вывода не хватает ответов",
    Status.UNCLEAR: "Обсудите результаты со специалистом",
}
FIRST_STEPS = {
    Status.TYPICAL: "Продолжайте то, что помогает",
    Status.BORDERLINE: "Понаблюдайте две — четыре недели",
    Status.CONCERNING: "Запишитесь на консультацию",
    Status.INCOMPLETE: "Ответьте на остальные вопросы",
    Status.UNCLEAR: "Запишитесь на консультацию",
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


def test_every_sentence_of_ours_is_in_the_small_font() -> None:
    texts = [value for name, value in vars(words).items() if name.isupper()]
    assert {letter for letter in repr(texts) if ord(letter) not in RUSSIAN} == set()


def test_a_drawing_that_takes_too_long_is_given_up() -> None:
    canvas = Canvas("", date(2026, 11, 23), seconds=0.05)
    with pytest.raises(PermanentError, match=r"more than 0\.05 s of computing"):
        canvas.paragraph(TEXT, MARGIN, 50, INNER, "Слово за словом " * 100_000)
