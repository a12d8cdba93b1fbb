"""The fonts of scripts that Roboto lacks, and which of them has a letter; each is read when a name first needs it."""

import lzma
from functools import cache, lru_cache
from pathlib import Path

import uharfbuzz

FOLDER = Path(__file__).parent / "fonts"
EM = 1000  # parts of a font's size, in which all is measured

# Unicode's blocks of each script. Roboto has the first one's letters, but cannot place marks above or below them.
BLOCKS: dict[str, tuple[range, ...]] = {
    "european": (
        *(range(0x20, 0x530), range(0x1AB0, 0x1B00), range(0x1C80, 0x1C90), range(0x1D00, 0x2070)),
        *(range(0x2C60, 0x2C80), range(0x2DE0, 0x2E00), range(0xA640, 0xA6A0), range(0xA720, 0xA800)),
        *(range(0xAB30, 0xAB70), range(0xFE20, 0xFE30)),
    ),
    "armenian": (range(0x530, 0x590), range(0xFB13, 0xFB18)),
    "hebrew": (range(0x590, 0x600), range(0xFB1D, 0xFB50)),
    "arabic": (
        range(0x600, 0x700),
        range(0x750, 0x780),
        range(0x8A0, 0x900),
        range(0xFB50, 0xFE00),
        range(0xFE70, 0xFEFF),
    ),
    "syriac": (range(0x700, 0x750), range(0x860, 0x870)),
    "thaana": (range(0x780, 0x7C0),),
    "devanagari": (range(0x900, 0x980), range(0xA8E0, 0xA900)),
    "bengali": (range(0x980, 0xA00),),
    "gurmukhi": (range(0xA00, 0xA80),),
    "gujarati": (range(0xA80, 0xB00),),
    "oriya": (range(0xB00, 0xB80),),
    "tamil": (range(0xB80, 0xC00),),
    "telugu": (range(0xC00, 0xC80),),
    "kannada": (range(0xC80, 0xD00),),
    "malayalam": (range(0xD00, 0xD80),),
    "sinhala": (range(0xD80, 0xE00),),
    "thai": (range(0xE00, 0xE80),),
    "lao": (range(0xE80, 0xF00),),
    "tibetan": (range(0xF00, 0x1000),),
    "myanmar": (range(0x1000, 0x10A0), range(0xA9E0, 0xAA00), range(0xAA60, 0xAA80)),
    "georgian": (range(0x10A0, 0x1100), range(0x1C90, 0x1CC0), range(0x2D00, 0x2D30)),
    "ethiopic": (range(0x1200, 0x13A0), range(0x2D80, 0x2DE0), range(0xAB00, 0xAB30)),
    "khmer": (range(0x1780, 0x1800),),
    "cjk": (
        *(range(0x3001, 0x3200), range(0x3400, 0xA000), range(0xAC00, 0xD7A4), range(0xF900, 0xFB00)),
        *(range(0xFF01, 0xFFA0), range(0x20000, 0x30000)),
    ),
}


class ScriptFont:
    """A font as HarfBuzz knows it, to shape text with and to cut letters from."""

    def __init__(self, script: str) -> None:
        contents = lzma.decompress((FOLDER / f"{script}.ttf.xz").read_bytes())
        self.face = uharfbuzz.Face(uharfbuzz.Blob(contents))
        self.font = uharfbuzz.Font(self.face)
        self.font.scale = (EM, EM)

    def has(self, letter: str) -> bool:
        return bool(self.font.get_nominal_glyph(ord(letter)))


@cache
def script_font(script: str) -> ScriptFont:
    return ScriptFont(script)


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str | None:
    """The script whose font has this letter, if any."""
    code = ord(letter)
    blocks = (script for script, ranges in BLOCKS.items() if any(code in each for each in ranges))
    return next((script for script in blocks if script_font(script).has(letter)), None)
