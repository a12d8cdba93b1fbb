"""The paper that a report is drawn on: A4, our colours and letters, and the few shapes it is made of."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, time
from itertools import groupby
from time import thread_time
from typing import Any

from fpdf import FPDF
from fpdf.actions import URIAction
from fpdf.annotations import PDFAnnotation
from fpdf.drawing_primitives import DeviceRGB
from fpdf.enums import ResourceAccessPolicy
from fpdf.prefs import ViewerPreferences
from fpdf.syntax import Name

from errors import PermanentError
from reports.font import FAMILY, fonts_for, is_plain
from reports.part_font import PartFont
from reports.scoring import Status
from reports.shaping import Run, from_left_to_right, runs
from reports.structure import Element, Structure, TaggedOutput, metadata, sayable
from reports.style import INK, Colour, Style, wrapped

WIDTH, HEIGHT, MARGIN = 210.0, 297.0, 20.0  # millimetres, as everything here but letter sizes
INNER = WIDTH - 2 * MARGIN
BOTTOM = HEIGHT - 22
OUTLINE = 0.03  # of the size: what makes letters bold whose font is not
AUTHOR, LANGUAGE = "Balansity", "ru-RU"
DRAWING_SECONDS = 20  # of computing; a report takes a tenth of one, and others wait behind it

GREY: Colour = (92, 108, 117)
TEAL: Colour = (24, 94, 92)
PALE: Colour = (234, 242, 240)
PLAIN: Colour = (132, 150, 160)  # a number that nobody rated
TRACK: Colour = (223, 229, 231)
WHITE: Colour = (255, 255, 255)
# Told apart by their lightness too, so that they differ on a black-and-white print.
COLOURS: dict[Status, Colour] = {
    Status.TYPICAL: (76, 160, 132),
    Status.BORDERLINE: (214, 160, 48),
    Status.CONCERNING: (172, 58, 44),
    Status.INCOMPLETE: (150, 162, 168),
    Status.UNCLEAR: (112, 120, 150),
}
TICK = [(0.27, 0.52), (0.44, 0.69), (0.74, 0.34)]  # in parts of the symbol's size


class Canvas(FPDF):
    """A document whose bytes depend on what is drawn and on nothing else.

    `names` is all that may hold letters beyond Russian ones, which take a larger font. Whatever it is that takes more
    than `seconds` of computing to draw is given up: PermanentError.
    """

    def __init__(self, title: str, day: date, names: str = "", seconds: float = DRAWING_SECONDS) -> None:
        super().__init__(unit="mm", format="A4")
        self.resource_access_policy = ResourceAccessPolicy.NONE
        self.fonts.update(fonts_for(names))
        self.seconds = seconds
        self.began = thread_time()  # once the fonts are there, which others share
        self.set_auto_page_break(False)
        self.set_creation_date(datetime.combine(day, time(), UTC))
        self._describe(sayable(title))
        self.structure = Structure()
        self.is_marked = False
        self.add_page()

    def _describe(self, title: str) -> None:
        self.set_title(title)
        self.set_author(AUTHOR)
        self.set_lang(LANGUAGE)
        self.set_xmp_metadata(metadata(title, AUTHOR, LANGUAGE))
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self._set_min_pdf_version("1.7")  # of which PDF/UA-1 speaks

    def add_page(self, *args: Any, **kwargs: Any) -> None:
        super().add_page(*args, **kwargs)
        page: Any = self.pages[self.page]
        page.tabs = Name("S")  # the tab key goes by the structure

    def bookmark(self, name: str, y: float) -> None:
        self.set_y(y)
        self.start_section(name)

    @contextmanager
    def tagged(self, kind: str, alt: str | None = None, attributes: str = "") -> Iterator[None]:
        """What is drawn here is one element that a screen reader reads, in the order of drawing; `alt` is said of it.

        It is part of the one around it, if any.
        """
        if self.is_marked:
            yield
            return
        with self.grouped(kind, alt, attributes), self._numbered(kind):
            yield

    def grouped(self, kind: str, alt: str | None = None, attributes: str = "") -> AbstractContextManager[Element]:
        """The elements made here are parts of one."""
        return self.structure.element(kind, self.pages[self.page], alt, attributes)

    def figure(self, alt: str, x: float, y: float, width: float, height: float) -> AbstractContextManager[None]:
        """What is drawn here is a picture that takes this place."""
        edges = (x, HEIGHT - y - height, x + width, HEIGHT - y)
        box = " ".join(f"{edge * self.k:.2f}" for edge in edges)
        return self.tagged("Figure", alt, f"<</O /Layout /BBox [{box}]>>")

    @contextmanager
    def ornament(self) -> Iterator[None]:
        """What is drawn here says nothing that no text says: a screen reader leaves it out."""
        if self.is_marked:
            yield
            return
        with self._marked("/Artifact BMC"):
            yield

    def _numbered(self, kind: str) -> AbstractContextManager[None]:
        """What is drawn here belongs to the innermost element, which is of that kind."""
        number = self.structure.number(self.pages[self.page])
        return self._marked(f"/{kind} <</MCID {number}>> BDC")

    @contextmanager
    def _marked(self, begin: str) -> Iterator[None]:
        self._out(begin)
        self.is_marked = True
        yield
        self.is_marked = False
        self._out("EMC")

    def line_of(self, style: Style, x: float, y: float, text: str) -> None:
        """One line of text, its baseline at `y`."""
        if thread_time() - self.began > self.seconds:
            raise PermanentError(f"The report takes more than {self.seconds} s of computing to draw")
        self.set_font(FAMILY, style.emphasis, style.points)
        self.set_text_color(*style.colour)
        with self.tagged("P"):
            if is_plain(text):
                self.text(x, y, text)
            else:
                self._shaped(style, x, y, text)

    def _shaped(self, style: Style, x: float, y: float, text: str) -> None:
        """A line of letters from several fonts, or in several directions; those that have no bold font are outlined."""
        colour, points = DeviceRGB(*(part / 255 for part in style.colour)).serialize(), style.points
        fonts: Any = self.fonts  # which fpdf2 takes for files
        outlined = f"2 Tr {points * OUTLINE:.2f} w" if style.emphasis else ""
        self._out(f"q {colour.lower()} {colour.upper()} BT {x * self.k:.2f} {(self.h - y) * self.k:.2f} Td")
        line = text.rstrip()
        end = [Run(text[len(line) :], None, 0)] if line != text else []  # is seen last in either direction
        for run in (*from_left_to_right(runs(line)), *end):
            if run.script:
                part: Any = fonts.setdefault(run.script, PartFont(run.script, len(fonts) + 1))
                self._out(" ".join([outlined, self._set_font_for_page(part, points, False), *part.drawn(run, points)]))
            else:
                font = fonts[FAMILY + style.emphasis]
                self._out(f"0 Tr {self._set_font_for_page(font, points, False)} {font.encode_text(run.in_sight)}")
        self._out("ET Q")
        self.current_font_is_set_on_page = False

    def linked(self, style: Style, x: float, y: float, text: str, address: str) -> None:
        """One line of text that leads to `address`."""
        with self.grouped("P"), self.grouped("Link"):
            with self._numbered("Link"):
                self.line_of(style, x, y, text)
            place = x * self.k, self.h_pt - (y - 4) * self.k, style.width(text) * self.k, 5.5 * self.k
            link = PDFAnnotation("Link", *place, contents=text, action=URIAction(address))
            self.structure.annotate(self.pages[self.page], link)

    def line_before(self, style: Style, right: float, y: float, text: str) -> None:
        """One line of text that ends at `right`."""
        self.line_of(style, right - style.width(text), y, text)

    def line_around(self, style: Style, middle: float, y: float, text: str) -> None:
        self.line_of(style, middle - style.width(text) / 2, y, text)

    def paragraph(self, style: Style, x: float, y: float, width: float, text: str) -> float:
        """Text broken into lines of at most `width`, the first baseline at `y`; returns where the next would stand."""
        lines = wrapped(text, style, width)
        self.lines_of(style, x, y, lines)
        return y + len(lines) * style.leading

    def lines_of(self, style: Style, x: float, y: float, lines: Sequence[str]) -> None:
        """Lines of one text below each other; a screen reader joins them, so that a space ends each but the last."""
        with self.tagged("P"):
            for place, line in enumerate(lines):
                end = " " if place < len(lines) - 1 else ""
                self.line_of(style, x, y + place * style.leading, line + end)

    def box(self, colour: Colour, x: float, y: float, width: float, height: float) -> None:
        self.set_fill_color(*colour)
        with self.ornament():
            self.rect(x, y, width, height, style="F")

    def card(self, colour: Colour, x: float, y: float, width: float, height: float) -> None:
        """A box with rounded corners."""
        self.set_fill_color(*colour)
        with self.ornament():
            self.rect(x, y, width, height, style="F", round_corners=True, corner_radius=min(3, height / 2))

    def squares(self, rows: Iterable[Iterable[int]], x: float, y: float, size: float) -> None:
        """Rows of small squares, dark where there is a 1, as a QR code has them."""
        for down, row in enumerate(rows):
            at = x
            for is_dark, run in groupby(row):
                width = size * len(list(run))
                if is_dark:
                    self.box(INK, at, y + down * size, width, size)
                at += width

    def symbol(self, status: Status, x: float, y: float, size: float) -> None:
        """The status as a shape of its own: a tick, a half-full ring, a triangle, a ring with a dash or a dot."""
        with self.ornament():
            self._symbol(status, x, y, size)

    def _symbol(self, status: Status, x: float, y: float, size: float) -> None:
        self.set_fill_color(*COLOURS[status])
        self.set_draw_color(*COLOURS[status])
        self.set_line_width(size * 0.12)
        if status is Status.TYPICAL:
            self.ellipse(x, y, size, size, style="F")
            self.set_draw_color(*WHITE)
            self.polyline([(x + size * right, y + size * down) for right, down in TICK])
        elif status is Status.CONCERNING:
            self.polygon([(x + size / 2, y), (x + size, y + size * 0.92), (x, y + size * 0.92)], style="F")
            self.box(WHITE, x + size * 0.45, y + size * 0.34, size * 0.1, size * 0.28)
            self.box(WHITE, x + size * 0.45, y + size * 0.7, size * 0.1, size * 0.1)
        else:
            self.ellipse(x + size * 0.06, y + size * 0.06, size * 0.88, size * 0.88, style="D")
            if status is Status.BORDERLINE:
                self.solid_arc(x, y, size, 180, 360, style="F")
            elif status is Status.UNCLEAR:
                self.ellipse(x + size * 0.35, y + size * 0.35, size * 0.3, size * 0.3, style="F")
            else:
                self.box(COLOURS[status], x + size * 0.3, y + size * 0.44, size * 0.4, size * 0.12)

    def number(self, number: int, x: float, y: float) -> None:
        """A step's number in a disc, 8 mm across."""
        self.set_fill_color(*TEAL)
        with self.ornament():
            self.ellipse(x, y, 8, 8, style="F")
        with self.tagged("Lbl"):
            self.line_around(Style(11, WHITE, "B"), x + 4, y + 5.4, str(number))

    def number_pages(self, style: Style, y: float, name: str) -> None:
        """The foot of every page, once it is known how many there are."""
        for number in range(1, self.pages_count + 1):
            self.page = number
            self.current_font_is_set_on_page = False  # fpdf2 remembers the font of the page that it left
            with self.ornament():
                self.line_of(style, MARGIN, y, style.shortened(name, INNER - 20))
                self.line_before(style, WIDTH - MARGIN, y, f"{number} из {self.pages_count}")

    def contents(self) -> bytes:
        return bytes(self.output(output_producer_class=TaggedOutput))
