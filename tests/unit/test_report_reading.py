"""A report can be read by whoever does not see it, and says where to turn next."""

import io
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pypdf
import pytest

from reports import text
from reports.canvas import HEIGHT, MARGIN, WIDTH
from reports.formats import digest, render
from reports.report import Contact
from reports.scoring import Status
from tests.unit.report_cases import KINDS, Recorder, elements_of, in_one_line, make_report, pages_of, report_of

CONTACT = Contact("https://balansity.example/booking", "+7 495 123-45-67")


@pytest.mark.parametrize("kind", KINDS)
def test_headings_follow_one_another_as_the_pages_do(kind: str) -> None:
    report = replace(make_report(kind, 3), contact=CONTACT)
    pdf = render(report, "pdf").content
    levels = [int(name[2:]) for name, _ in elements_of(pdf) if name.startswith("/H")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    root: Any = pypdf.PdfReader(io.BytesIO(pdf)).root_object
    assert str(root["/MarkInfo"]["/Marked"]) == str(root["/ViewerPreferences"]["/DisplayDocTitle"]) == "True"


@pytest.mark.parametrize("status", list(Status))
def test_every_element_has_words_or_an_alternative_and_every_number_is_a_place_of_its_own(status: Status) -> None:
    pdf = render(replace(report_of("checkup", status), contact=CONTACT), "pdf").content
    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        contents = page.get_contents()
        assert contents is not None
        data = contents.get_data()
        assert data.count(b"BDC") + data.count(b"BMC") == data.count(b"EMC")
        painted = [line for line in data.split(b"\n") if line.endswith((b" f", b" S", b" Tj ET", b" B"))]
        assert painted  # and everything of it stands in a sequence:
        depth = 0
        for line in data.split(b"\n"):
            depth += line.count(b" BDC") + line.count(b" BMC") - line.count(b"EMC")
            assert depth == 1 or line not in painted, line


def test_lines_of_one_text_are_read_as_one_text() -> None:
    person = " ".join(["Анна-Мария Александровна"] * 4)
    report = replace(make_report("checkup", 3, person), contact=CONTACT)
    read = {words.replace("\n", "") for _, words in elements_of(render(report, "pdf").content)}
    assert {person, text.SCREENING, text.URGENT["checkup"], text.summary(report)[1], "8 Требует внимания"} <= read


def test_bars_and_the_code_are_told_in_words() -> None:
    report = replace(make_report("parent", 3), contact=CONTACT)
    figures = [alternative for name, alternative in elements_of(render(report, "pdf").content) if name == "/Figure"]
    assert figures == [
        "Тревога: 6 из 6, порог 4",
        "Сниженное настроение: 6 из 6, порог 4",
        f"QR-код со ссылкой для записи: {CONTACT.book_at}",
    ]


def test_the_last_page_says_where_to_book_and_whom_to_call() -> None:
    report = replace(make_report("checkup", 3), contact=CONTACT)
    pdf = render(report, "pdf").content
    assert "Записаться на консультацию balansity.example/booking Или позвоните нам: +7 495 123-45-67" in in_one_line(
        pages_of(pdf)[-1]
    )
    last: Any = pypdf.PdfReader(io.BytesIO(pdf)).pages[-1]
    assert [each.get_object()["/A"]["/URI"] for each in last["/Annots"]] == [CONTACT.book_at, "tel:+74951234567"]
    without = pages_of(render(replace(report, contact=Contact(CONTACT.book_at, "")), "pdf").content)[-1]
    assert "позвоните нам" not in without


@pytest.mark.parametrize("address", ["https://a.example", "https://balansity.example/" + "запись/" * 60])
@pytest.mark.parametrize("kind", KINDS)
def test_a_code_of_any_address_stays_on_the_page(kind: str, address: str) -> None:
    canvas = Recorder(replace(report_of(kind, Status.CONCERNING), contact=Contact(address, CONTACT.phone)))
    for _, x, y, width, height in canvas.boxes[1:]:
        assert x + width <= WIDTH + 0.01
        assert y + height <= HEIGHT - 10
    for line, left, right, _ in canvas.lines:
        assert MARGIN - 0.01 <= left <= right <= WIDTH - MARGIN + 0.01, line


def test_where_to_book_makes_no_other_report_of_the_same_answers() -> None:
    assert digest(make_report()) == digest(replace(make_report(), contact=CONTACT))
