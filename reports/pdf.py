"""The report as a PDF: a cover with the main thing, every scale as a bar, and what to do next."""

import re

import segno

from reports import text
from reports.canvas import (
    BOTTOM,
    COLOURS,
    GREY,
    HEIGHT,
    INNER,
    MARGIN,
    PALE,
    PLAIN,
    TEAL,
    TRACK,
    WHITE,
    WIDTH,
    Canvas,
)
from reports.font import printable
from reports.report import Report, day_in_words, years
from reports.scoring import Score, Status
from reports.style import INK, Style, wrapped

BRAND = Style(15, TEAL, "B")
TITLE = Style(30, INK, "B")
SUBTITLE = Style(13, GREY)
NAMES = (Style(22, INK, "B"), Style(15, INK, "B"))  # the first that fits in one line, else the last
HEADING = Style(18, TEAL, "B")
LEAD = Style(11.5)
COUNT = Style(17, INK, "B")
STRONG = Style(12, INK, "B")
LABEL = Style(11, INK, "B")
TEXT = Style(10.5, GREY)
SMALL = Style(9.5)
ASIDE = Style(9.5, GREY)
TINY = Style(8.5, GREY)
LINK = Style(10.5, TEAL, "B")

RIGHT = WIDTH - MARGIN
COVER_BAND = 128.0  # height of the cover's coloured part
SHORT_COVER_BAND = 96.0  # where there is no name to show
NAME_LINES = 3
BAR = 3.4  # height of a scale's bar
ROW = 25.5  # height of a scale
GAP = 6.0  # below it, which the foot of a page may take
SHORT_ROW = 16.0  # of one without a bar
STEP = 13.0  # what a step's text is moved in by
NOTE_LINE = 10.0
CONTACT = 36.0  # height of the card that says where to book
NUMBERED = "<</O /List /ListNumbering /Decimal>>"
RARE = (Status.INCOMPLETE, Status.UNCLEAR)  # have a tile only where there is one


def render_pdf(report: Report) -> bytes:
    """The same report always gives the same bytes."""
    title = ", ".join(
        filter(None, [text.TITLES[report.assessment_type], _shown(report.person), day_in_words(report.answered_on)])
    )
    named = "".join(map(_shown, [report.person, report.reader, *map(text.title, report.scores)]))
    canvas = Canvas(title, report.answered_on, named)
    draw(canvas, report)
    return canvas.contents()


def draw(canvas: Canvas, report: Report) -> None:
    _cover(canvas, report)
    y = _scales(canvas, report)
    _next_steps(canvas, report, y)
    facts = [text.TITLES[report.assessment_type], day_in_words(report.answered_on), _shown(report.person)]
    canvas.number_pages(TINY, HEIGHT - 12, " · ".join(filter(None, ["Balansity", *facts])))


def _shown(name: str | None) -> str:
    """A name as the paper can show it; empty where there is none."""
    return printable(name or "")


def _cover(canvas: Canvas, report: Report) -> None:
    canvas.bookmark("Главное", 0)
    band = COVER_BAND if _shown(report.person) else SHORT_COVER_BAND
    canvas.box(PALE, 0, 0, WIDTH, band)
    canvas.box(TEAL, 0, band, WIDTH, 1.2)
    canvas.line_of(BRAND, MARGIN, 27, "Balansity")
    with canvas.tagged("H1"):
        y = canvas.paragraph(TITLE, MARGIN, 58, INNER, text.TITLES[report.assessment_type])
    canvas.line_of(SUBTITLE, MARGIN, y - 2, text.SUBJECTS[report.assessment_type])
    _person(canvas, report, band)
    y = _main_thing(canvas, report, band + 18)
    _tally(canvas, report, y + 6)
    canvas.paragraph(ASIDE, MARGIN, HEIGHT - 35, INNER, text.SCREENING)


def _person(canvas: Canvas, report: Report, band: float) -> None:
    """Whom it is about, when, and whom it is for, standing on the lower edge of the cover's band."""
    name = _shown(report.person)
    style = next((style for style in NAMES if style.width(name) <= INNER), NAMES[-1])
    lines = wrapped(name, style, INNER)
    if len(lines) > NAME_LINES:
        lines = (*lines[: NAME_LINES - 1], style.shortened(" ".join(lines[NAME_LINES - 1 :]), INNER))
    top = band - 19 - style.leading * (len(lines) - 1)
    canvas.lines_of(style, MARGIN, top, lines)
    age = years(report.age) if report.age is not None else ""
    reader = f"Для: {_shown(report.reader)}" if _shown(report.reader) else ""
    facts = " · ".join(filter(None, [age, day_in_words(report.answered_on), reader]))
    canvas.line_of(SUBTITLE, MARGIN, band - 10, SUBTITLE.shortened(facts, INNER))


def _main_thing(canvas: Canvas, report: Report, y: float) -> float:
    headline, meaning = text.summary(report)
    with canvas.tagged("H2"):
        y = canvas.paragraph(HEADING, MARGIN, y, INNER, headline) + 1
    y = canvas.paragraph(LEAD, MARGIN, y, INNER, meaning)
    if report.is_incomplete:
        y = canvas.paragraph(LEAD, MARGIN, y + 2, INNER, text.PARTIAL)
    return y


def _tally(canvas: Canvas, report: Report, y: float) -> None:
    """How many scales came out how, as tiles."""
    counts = {status: len(report.with_status(status)) for status in text.STATUSES}
    shown = [status for status, count in counts.items() if count or status not in RARE]
    width = (INNER - 4 * (len(shown) - 1)) / len(shown)
    for place, status in enumerate(shown):
        x = MARGIN + place * (width + 4)
        canvas.card(PALE, x, y, width, 25)
        canvas.symbol(status, x + 5, y + 5.4, 5.5)
        with canvas.tagged("P"):
            canvas.line_of(COUNT, x + 13, y + 10.6, f"{counts[status]} ")
            canvas.line_of(SMALL, x + 5, y + 19.5, text.STATUSES[status])


def _scales(canvas: Canvas, report: Report) -> float:
    canvas.add_page()
    y = _heading(canvas, "Результаты по шкалам", 28)
    y = canvas.paragraph(ASIDE, MARGIN, y, INNER, text.how_to_read(report)) + 4
    for score in report.main_scores:
        y = _scale(canvas, score, _room(canvas, y, ROW - GAP))
    if report.impact_scores:
        y = _heading(canvas, "Влияние на жизнь", _room(canvas, y + 9, ROW + 20))
        y = canvas.paragraph(ASIDE, MARGIN, y, INNER, text.IMPACT_INTRO) + 4
        for score in report.impact_scores:
            y = _scale(canvas, score, _room(canvas, y, ROW - GAP))
    return y


def _room(canvas: Canvas, y: float, height: float) -> float:
    """Where something of that height may stand: here, or on a new page."""
    if y + height <= HEIGHT - 16:
        return y
    canvas.add_page()
    return 28


def _heading(canvas: Canvas, name: str, y: float) -> float:
    canvas.bookmark(name, y - 10)
    with canvas.tagged("H2"):
        canvas.line_of(HEADING, MARGIN, y, name)
    return y + 8


def _scale(canvas: Canvas, score: Score, y: float) -> float:
    """One scale: its name and status, what it is about, the points, the bar; returns where the next one starts."""
    with canvas.tagged("H3"):
        canvas.line_of(STRONG, MARGIN, y + 3, STRONG.shortened(_shown(text.title(score)), INNER * 0.7))
    if score.status:
        status = text.STATUSES[score.status]
        canvas.line_before(LABEL, RIGHT, y + 3, status)
        canvas.symbol(score.status, RIGHT - LABEL.width(status) - 6, y - 0.8, 4.4)
    canvas.line_of(ASIDE, MARGIN, y + 8, text.note(score) or text.about(score))
    canvas.line_before(SMALL, RIGHT, y + 8, text.points(score))
    if score.maximum is not None:
        with canvas.figure(text.drawn(score), MARGIN, y + 10, INNER, BAR + 6):
            _bar(canvas, score, score.maximum, y + 11)
    return y + (ROW if score.maximum is not None else SHORT_ROW)


def _bar(canvas: Canvas, score: Score, maximum: int, y: float) -> None:
    canvas.card(TRACK, MARGIN, y, INNER, BAR)
    if score.points:
        colour = COLOURS[score.status] if score.status else PLAIN
        canvas.card(colour, MARGIN, y, max(INNER * score.points / maximum, BAR), BAR)
    if score.threshold is not None:
        threshold = MARGIN + INNER * score.threshold / maximum
        canvas.box(INK, threshold - 0.25, y - 1, 0.5, BAR + 2)
        canvas.line_around(TINY, threshold, y + BAR + 4, f"порог {score.threshold}")


def _next_steps(canvas: Canvas, report: Report, y: float) -> None:
    steps = text.next_steps(report)
    if y + _height(steps) + bool(report.contact) * (CONTACT + 5) > BOTTOM:
        canvas.add_page()
        y = 19
    y = _heading(canvas, "Что дальше", y + 9) + 2
    with canvas.grouped("L", attributes=NUMBERED):
        for number, step in enumerate(steps, start=1):
            with canvas.grouped("LI"):
                y = _step(canvas, number, step, y)
    y = _contact(canvas, report, y)
    _urgent(canvas, report, y)
    _notes(canvas, y + 43)


def _step(canvas: Canvas, number: int, step: text.Step, y: float) -> float:
    action, reason = step
    canvas.number(number, MARGIN, y - 5)
    with canvas.grouped("LBody"):
        y = canvas.paragraph(STRONG, MARGIN + STEP, y, INNER - STEP, action)
        return canvas.paragraph(TEXT, MARGIN + STEP, y, INNER - STEP, reason) + 4


def _height(steps: tuple[text.Step, ...]) -> float:
    """Room for the heading, the steps and the notice below them."""
    reasons = sum(len(wrapped(reason, TEXT, INNER - STEP)) for _, reason in steps)
    return 19 + len(steps) * (STRONG.leading + 4) + reasons * TEXT.leading + 25


def _contact(canvas: Canvas, report: Report, y: float) -> float:
    """Where to book and whom to call: a link, its QR code for whoever holds the paper, and a telephone."""
    if report.contact is None:
        return y
    link, phone = report.contact.book_at, report.contact.phone
    canvas.card(PALE, MARGIN, y, INNER, CONTACT)
    with canvas.tagged("H3"):
        canvas.line_of(LABEL, MARGIN + 6, y + 9, text.BOOK)
    _linked(canvas, link.removeprefix("https://"), link, y + 16)
    if phone:
        canvas.line_of(SMALL, MARGIN + 6, y + 23, text.CALL)
        _linked(canvas, phone, "tel:" + re.sub(r"[^+\d]", "", phone), y + 29)
    _qr_code(canvas, link, RIGHT - CONTACT + 3, y + 3, CONTACT - 6)
    return y + CONTACT + 5


def _linked(canvas: Canvas, shown: str, address: str, y: float) -> None:
    shown = LINK.shortened(printable(shown), INNER - CONTACT - 10)
    canvas.linked(LINK, MARGIN + 6, y, shown, address)


def _qr_code(canvas: Canvas, address: str, x: float, y: float, side: float) -> None:
    """As large as the side allows, the white edge of four squares included that readers ask for."""
    rows = segno.make_qr(address, error="m").matrix
    size = side / (len(rows) + 8)
    with canvas.figure(text.QR_CODE.format(address=address), x, y, side, side):
        canvas.box(WHITE, x, y, side, side)
        canvas.squares(rows, x + 4 * size, y + 4 * size, size)


def _urgent(canvas: Canvas, report: Report, y: float) -> None:
    canvas.card(PALE, MARGIN, y, INNER, 25)
    canvas.line_of(LABEL, MARGIN + 6, y + 8, "Если помощь нужна сейчас")
    canvas.paragraph(SMALL, MARGIN + 6, y + 14, INNER - 12, text.URGENT[report.assessment_type])


def _notes(canvas: Canvas, y: float) -> None:
    """Ruled lines down to the foot of the page, where at least three fit."""
    if y + 3 * NOTE_LINE > BOTTOM:
        return
    canvas.line_of(LABEL, MARGIN, y, text.NOTES)
    while (y := y + NOTE_LINE) < BOTTOM:
        canvas.box(TRACK, MARGIN, y, INNER, 0.2)
