"""Roboto cut down to the letters that reports use: prepared once a process, shared by all its documents.

fpdf2 parses and subsets every font for every document, which takes longer than drawing it. Here a character's
code is its glyph number in one fixed subset, so that widths, maps and the compressed font are the same everywhere.
"""

import re
from copy import copy
from functools import cache
from io import BytesIO
from typing import Any
from unicodedata import category

import font_roboto
from anyascii import anyascii
from fontTools import subset
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.fonts import TTFFont
from fpdf.output import CIDSystemInfo, OutputProducer, PDFFont, PDFFontStream
from fpdf.syntax import Name, PDFArray, PDFContentStream

from reports.scripts import script_of

FAMILY = "roboto"
FILES = {"": font_roboto.Roboto, "B": font_roboto.RobotoBold}

LETTERS = {"L", "M", "N"}  # Unicode's classes of letters, of marks on them, and of numbers
SEEN = {*LETTERS, "P", "S"}  # and of punctuation and signs
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # without which Persian and Indic names are written wrongly
MOST_MARKS = 6  # above and below a letter: no script needs more, and more would cover the page
MARKS = {ord(mark) for mark in "\N{NO-BREAK SPACE}«»·‐‑‒–—‘’‚“”„•…′″‹›₽№−×≈≤≥"}
# What nearly every report needs, what most other names do (Latin, Cyrillic and Vietnamese letters, apostrophes that are
# letters), and all that a PDF's two-byte characters reach: the font has Greek, phonetic letters and combining marks.
RUSSIAN = frozenset(set(range(0x20, 0x7F)) | set(range(0x410, 0x450)) | {ord("Ё"), ord("ё")} | MARKS)
USUAL = frozenset(
    RUSSIAN
    | set(range(0xA0, 0x180))
    | set(range(0x400, 0x530))
    | set(range(0x1E00, 0x1F00))
    | set(map(ord, "ƏəƠơƯưǦǧȘșȚțʹʺʻʼʽʾʿ"))
)
EVERYTHING = frozenset(range(0x20, 0x10000)) - {0xFEFF}  # which no text may lead back to, says PDF/UA


class SharedFont(TTFFont):
    """One face; nothing in it changes while documents are made."""

    def __init__(self, document: FPDF, style: str, alphabet: frozenset[int]) -> None:
        contents = _cut_down(FILES[style], alphabet)
        file: Any = BytesIO(contents)  # fpdf2 asks for a path and hands it to fontTools, which reads both
        super().__init__(document, file, FAMILY + style, style)
        self.subset: Any = GlyphCodes(self.glyph_ids)
        self.base_name = f"BALNST+{self.name}"
        self.widths = _widths(self)
        self.stream = PDFFontStream(contents)
        letters = {glyph: chr(unicode) for unicode, glyph in sorted(self.glyph_ids.items(), reverse=True)}
        self.to_unicode = PDFContentStream(to_unicode(letters), compress=True)
        self.glyph_map = Name("Identity")
        self.close()

    def encode_text(self, text: str) -> str:
        return f"({self.escape_text(text.translate(self.glyph_ids))}) Tj"


class GlyphCodes:
    """Takes the place of fpdf2's SubsetMap, which numbers glyphs anew in each document."""

    def __init__(self, codes: dict[int, int]) -> None:
        self.codes = codes

    def pick(self, unicode: int) -> int | None:
        return self.codes.get(unicode)


class SharedFontOutput(OutputProducer):
    """Writes documents whose fonts are all shared ones, or parts of a script's."""

    def _add_fonts(self, *_args: Any, **_kwargs: Any) -> Any:
        return {font.i: self._add_shared(font) for font in self.fpdf.fonts.values()}

    def _add_shared(self, font: Any) -> PDFFont:
        """The PDF objects of a face; copies, since each document numbers its own."""
        face = PDFFont("Type0", font.base_name, "Identity-H")
        glyphs: Any = PDFFont("CIDFontType2", font.base_name, d_w=font.desc.missing_width, w=font.widths)
        descriptor, stream, to_unicode, glyph_map = map(copy, (font.desc, font.stream, font.to_unicode, font.glyph_map))
        system = CIDSystemInfo()
        for each in (face, glyphs, to_unicode, system, descriptor, stream):
            self._add_pdf_obj(each, "fonts")
        face.descendant_fonts, face.to_unicode = PDFArray([glyphs]), to_unicode
        glyphs.c_i_d_system_info, glyphs.font_descriptor = system, descriptor
        glyphs.c_i_d_to_g_i_d_map = glyph_map
        if isinstance(glyph_map, PDFContentStream):
            self._add_pdf_obj(glyph_map, "fonts")
        descriptor.font_name, descriptor.font_file2 = Name(font.base_name), stream
        return face


def fonts_for(text: str) -> dict[str, SharedFont]:
    """The smallest faces that can show `text`, by fpdf2's key for each."""
    letters = drawable().intersection(map(ord, text))
    return shared_fonts(next(alphabet for alphabet in (RUSSIAN, USUAL, EVERYTHING) if alphabet >= letters))


@cache
def shared_fonts(alphabet: frozenset[int] = EVERYTHING) -> dict[str, SharedFont]:
    """Every face with the letters of `alphabet`."""
    document, faces = FPDF(), {}
    for style in FILES:
        document.fonts[FAMILY + style] = faces[FAMILY + style] = SharedFont(document, style, alphabet)
    return faces


def printable(text: str) -> str:
    """`text` in letters that some font has, the others in Latin ones; without signs that all lack, such as emoji."""
    if is_plain(text):
        return text
    shown, marks = "", 0
    for letter in text:
        marks = marks + 1 if category(letter)[0] == "M" else 0
        if letter in JOINERS:
            shown += letter if shown and ord(shown[-1]) not in drawable() and shown[-1] not in JOINERS else ""
        elif marks <= MOST_MARKS:
            shown += _drawn(letter)
    return " ".join(shown.split())


def is_plain(text: str) -> bool:
    """Whether Roboto can show all of it, letter after letter."""
    return not _others().search(text)


@cache
def _others() -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(''.join(map(chr, sorted(drawable()))))}]")


@cache
def drawable() -> frozenset[int]:
    """The characters that every face has, that can be seen, and that stand by themselves."""
    common = frozenset[int].intersection(*(frozenset(face.glyph_ids) for face in shared_fonts().values()))
    return frozenset(code for code in common if category(chr(code))[0] not in "CM")


def _drawn(character: str) -> str:
    if ord(character) in drawable() or (category(character)[0] in SEEN and script_of(character)):
        return character
    kind = category(character)[0]
    if kind not in LETTERS:
        return " " if kind == "Z" else ""
    latin = "".join(each for each in anyascii(character) if ord(each) in RUSSIAN)
    return latin or ("?" if kind == "L" else "")


def _cut_down(path: str, alphabet: frozenset[int]) -> bytes:
    layout_tables = ["DSIG", "GDEF", "GPOS", "GSUB"]  # fpdf2 places letters by their widths alone
    options = subset.Options(hinting=False, notdef_outline=True, drop_tables=layout_tables)
    with TTFont(path, recalcTimestamp=False) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=alphabet)
        cutter.subset(font)
        contents = BytesIO()
        font.save(contents)
    return contents.getvalue()


def _widths(font: TTFFont) -> str:
    """PDF's W array: each glyph number with its width in thousandths of the font's size."""
    width_of = {glyph: int(font.cw[unicode]) for unicode, glyph in font.glyph_ids.items()}
    return "[" + " ".join(f"{glyph} [{width}]" for glyph, width in sorted(width_of.items())) + "]"


def to_unicode(letters: dict[int, str]) -> bytes:
    """PDF's map from codes to what they show, in blocks of at most 100, so that text can be searched and copied."""
    pairs = [f"<{code:04X}> <{hexadecimal(shown)}>" for code, shown in sorted(letters.items())]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
        *("\n".join([f"{len(block)} beginbfchar", *block, "endbfchar"]) for block in blocks),
        "endcmap CMapName currentdict /CMap defineresource pop end end",
    ]
    return "\n".join(lines).encode("ascii")


def hexadecimal(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()
