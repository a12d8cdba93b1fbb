"""Writes reports/fonts: Noto's fonts as Debian's packages have them, cut down to their script and compressed.

python -m docs.making_fonts FOLDER, where the packages fonts-noto-core and fonts-noto-cjk were unpacked.
"""

import lzma
import sys
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from unicodedata import category

import uharfbuzz
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable

from reports.scripts import BLOCKS, FOLDER

NAMES = {"european": "NotoSans", "tibetan": "NotoSerifTibetan"}  # the others are called as their script is
CJK, CHINESE = "NotoSansCJK-Regular.ttc", 2  # the collection, and the place of the font whose forms are China's
# What the character sets of East Asia's computers had: the letters of names, and few that nobody has.
CHARACTER_SETS = ("gbk", "big5hkscs", "euc_jisx0213", "euc_kr")
# Tables for text from top to bottom and for the forms of other countries, twice the letters.
VERTICAL_AND_REGIONAL = (b"BASE", b"GDEF", b"GPOS", b"GSUB", b"VORG", b"vhea", b"vmtx")
INVISIBLE = {0x3164}  # a letter that shows nothing
# What stands between letters: spaces, hyphen, stop and apostrophes; joiners; and the circle that bears lone marks.
COMMON = {*map(ord, " \N{NO-BREAK SPACE}-.'’"), 0x200C, 0x200D, 0x25CC}
TRUETYPE = 0x10000  # of a table's version
UNUSED = {  # what fontTools computes, or what a font without instructions has none of
    **dict.fromkeys(("maxPoints", "maxContours", "maxCompositePoints", "maxCompositeContours"), 0),
    **dict.fromkeys(("maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs"), 0),
    **dict.fromkeys(("maxStackElements", "maxSizeOfInstructions", "maxComponentElements", "maxComponentDepth"), 0),
    "maxZones": 1,
}


def main() -> None:
    files = {path.name: path for path in Path(sys.argv[1]).rglob("*.tt[fc]")}
    for script, blocks in BLOCKS.items():
        letters = {code for block in blocks for code in block if category(chr(code)) != "Cn"} - INVISIBLE
        if script == "cjk":
            contents = with_quadratic_curves(cut(files[CJK], letters & east_asian(), CHINESE, VERTICAL_AND_REGIONAL))
        else:
            name = NAMES.get(script, f"NotoSans{script.title()}")
            contents = cut(files[f"{name}-Regular.ttf"], letters | COMMON)
        (FOLDER / f"{script}.ttf.xz").write_bytes(lzma.compress(contents, preset=9 | lzma.PRESET_EXTREME))


def east_asian() -> set[int]:
    """Every character of the old sets, Korea's syllables beyond them included."""
    return {code for code in range(0x3000, 0x30000) if any(_has(name, code) for name in CHARACTER_SETS)} | set(
        range(0xAC00, 0xD7A4)
    )


def _has(character_set: str, code: int) -> bool:
    return bool(chr(code).encode(character_set, "ignore"))


def cut(path: Path, letters: Iterable[int], number: int = 0, without: Iterable[bytes] = ()) -> bytes:
    wanted = uharfbuzz.SubsetInput()
    wanted.flags = uharfbuzz.SubsetFlags.NO_HINTING | uharfbuzz.SubsetFlags.NOTDEF_OUTLINE
    wanted.unicode_set.update(letters)
    wanted.drop_table_tag_set.update(int.from_bytes(table, "big") for table in without)
    return bytes(uharfbuzz.subset(uharfbuzz.Face(uharfbuzz.Blob(path.read_bytes()), number), wanted).blob.data)


def with_quadratic_curves(contents: bytes) -> bytes:
    """The same letters as TrueType outlines, a thousandth of their size off at most: PDF has one way for all fonts."""
    with TTFont(BytesIO(contents)) as font:
        outlines, order = font.getGlyphSet(), font.getGlyphOrder()
        table = font["glyf"] = newTable("glyf")
        table.glyphOrder, table.glyphs = order, {name: _quadratic(outlines[name]) for name in order}
        font["loca"] = newTable("loca")
        del font["CFF "]
        font["maxp"].tableVersion, font["post"].formatType, font.sfntVersion = TRUETYPE, 3.0, "\0\1\0\0"
        vars(font["maxp"]).update(UNUSED)
        converted = BytesIO()
        font.save(converted)
    return converted.getvalue()


def _quadratic(outline: Any) -> Any:
    pen = TTGlyphPen(None)
    outline.draw(Cu2QuPen(pen, max_err=1, reverse_direction=True))
    return pen.glyph()


if __name__ == "__main__":
    main()
