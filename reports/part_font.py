"""The few letters of a script's font that one document shows, each under a code that says what it stands for.

One shape may stand for several letters, and several shapes for one; whoever reads a PDF's text goes by the codes.
"""

import struct
from collections.abc import Iterator
from functools import cached_property

import uharfbuzz
from fpdf.enums import FontDescriptorFlags
from fpdf.fonts import PDFFontDescriptor
from fpdf.output import PDFFontStream
from fpdf.syntax import PDFContentStream

from reports.font import hexadecimal, to_unicode
from reports.scripts import EM, script_font
from reports.shaping import Run

BBOX = slice(36, 44)  # of the table head: the rectangle that holds every shape
CAPITALS, STEM = 714, 80  # height and thickness of Noto's letters, as all measures in thousandths of the size
STEP = 60
LAYOUT = {int.from_bytes(table, "big") for table in (b"GDEF", b"GPOS", b"GSUB")}  # tables that have done their work


class PartFont:
    """One document's, in the place of fpdf2's; complete once all is drawn."""

    def __init__(self, script: str, number: int) -> None:
        self.i = number
        self.font, self.face = script_font(script).font, script_font(script).face
        self.base_name = f"BALNST+Noto{script.title()}"
        self.codes: dict[tuple[int, str], int] = {}  # of a shape that stands for these letters

    def drawn(self, run: Run, points: float) -> Iterator[str]:
        """PDF's operators for a run.

        What is written from left to right is said beside them, too, since marks move its letters back and forth;
        programs that extract text turn the other direction around themselves.
        """
        if not run.is_leftward:
            yield f"/Span <</ActualText <FEFF{hexadecimal(run.letters)}>>> BDC"
        gap = 0  # by which the next shape moves to the left
        for glyph in run.glyphs:
            code = self.codes.setdefault((glyph.number, glyph.letters), len(self.codes) + 1)
            rise = f"{glyph.up * points / EM:.2f} Ts " if glyph.up else ""
            yield f"{rise}[{_moved(gap - glyph.right)}<{code:04X}>] TJ{' 0 Ts' if rise else ''}"
            gap = self._width(glyph.number) + glyph.right - glyph.advance
        yield f"[{_moved(gap)}] TJ"
        if not run.is_leftward:
            yield "EMC"

    def _width(self, glyph: int) -> int:
        return int(self.font.get_glyph_h_advance(glyph))

    @property
    def widths(self) -> str:
        return f"[1 [{' '.join(str(self._width(glyph)) for glyph, _ in self.codes)}]]"

    @property
    def desc(self) -> PDFFontDescriptor:
        extents = self.font.get_font_extents("ltr")
        box = struct.unpack(">4h", self.face.reference_table("head").data[BBOX])
        return PDFFontDescriptor(
            ascent=extents.ascender,
            descent=extents.descender,
            cap_height=CAPITALS,
            flags=FontDescriptorFlags.SYMBOLIC,
            font_b_box=f"[{' '.join(str(round(side * EM / self.face.upem)) for side in box)}]",
            italic_angle=0,
            stem_v=STEM,
            missing_width=0,
        )

    @property
    def stream(self) -> PDFFontStream:
        return PDFFontStream(self._plan.execute().blob.data)

    @property
    def glyph_map(self) -> PDFContentStream:
        """For each code, where its shape stands in the part of the font."""
        place_of = self._plan.old_to_new_glyph_mapping
        places = (place_of[glyph] for glyph, _ in self.codes)
        return PDFContentStream(struct.pack(f">{len(self.codes) + 1}H", 0, *places), compress=True)

    @property
    def to_unicode(self) -> PDFContentStream:
        return PDFContentStream(to_unicode({code: letters for (_, letters), code in self.codes.items()}), compress=True)

    @cached_property
    def _plan(self) -> uharfbuzz.SubsetPlan:
        wanted = uharfbuzz.SubsetInput()
        wanted.flags = uharfbuzz.SubsetFlags.NO_HINTING
        wanted.glyph_set.update(glyph for glyph, _ in self.codes)
        wanted.drop_table_tag_set.update(LAYOUT)
        return uharfbuzz.SubsetPlan(self.face, wanted)


def _moved(gap: int) -> str:
    """In small steps: what extracts text takes a large one for a space."""
    steps, rest = divmod(abs(gap), STEP)
    return " ".join(str(step if gap > 0 else -step) for step in [STEP] * steps + [rest] * bool(rest))
