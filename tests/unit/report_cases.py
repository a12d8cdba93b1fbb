"""Reports of any kind and status for the tests, and what can be read off them."""

import io
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pypdf

from reports.canvas import Canvas
from reports.pdf import draw
from reports.report import Report
from reports.scoring import SCALES, Answer, Status, score
from reports.style import Style

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
        super().__init__("", report.answered_on, "Ω")
        draw(self, report)

    def rect(self, x: float, y: float, w: float, h: float, *args: Any, **kwargs: Any) -> None:
        colour: Any = self.fill_color
        self.boxes.append((tuple(round(255 * part) for part in colour.colors), x, y, w, h))
        super().rect(x, y, w, h, *args, **kwargs)

    def symbol(self, status: Status, x: float, y: float, size: float) -> None:
        self.symbols.append(status)
        super().symbol(status, x, y, size)

    def line_of(self, style: Style, x: float, y: float, text: str) -> None:
        self.lines.append((text.rstrip(), x, x + style.width(text.rstrip()), y))
        super().line_of(style, x, y, text)


def elements_of(pdf: bytes) -> list[tuple[str, str]]:
    """What a screen reader reads, in its order: each element's kind, and its alternative or the letters shown."""
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    letters = {page.indirect_reference.idnum: _marked(page) for page in reader.pages if page.indirect_reference}
    found = []
    for element in tree_of(reader):
        numbers = [kid for kid in element["/K"] if isinstance(kid, int)]
        if numbers:
            page = letters[element.raw_get("/Pg").idnum]
            found.append((str(element["/S"]), str(element.get("/Alt", "".join(page[number] for number in numbers)))))
    return found


def tree_of(reader: pypdf.PdfReader) -> list[Any]:
    """Every structure element, each before its parts."""
    root: Any = reader.root_object["/StructTreeRoot"]
    return list(_elements(root["/K"]))


def _elements(kids: Any) -> Iterator[Any]:
    for kid in (each.get_object() for each in kids):
        if isinstance(kid, dict) and kid["/Type"] == "/StructElem":
            yield kid
            yield from _elements(kid["/K"])


def _marked(page: pypdf.PageObject) -> dict[int, str]:
    """The text of each marked sequence of a page, by its number."""
    texts: dict[int, str] = {}
    marks: list[int] = []

    def note(operator: bytes, operands: Any, *_: Any) -> None:
        if operator == b"BDC":
            marks.append(operands[1].get("/MCID", marks[-1] if marks else -1))
            texts.setdefault(marks[-1], "")
        elif operator == b"BMC":
            marks.append(-1)
        elif operator == b"EMC":
            marks.pop()

    def add(text: str, *_: Any) -> None:
        if marks and marks[-1] >= 0 and text.strip("\n"):
            texts[marks[-1]] += text

    page.extract_text(visitor_operand_before=note, visitor_text=add)
    return texts
