"""A line of text as runs of one font and one direction, its letters joined and placed as their script wants it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from unicodedata import bidirectional, category

import uharfbuzz
from fpdf.bidi import BIDI_BRACKETS, BidiParagraph

from reports.font import JOINERS, is_plain
from reports.scripts import script_font, script_of

BETWEEN = re.compile(r"(?<=\S)[ \N{NO-BREAK SPACE}.'’-]+(?=\S)")  # what is of the script on both its sides
INVISIBLE = "\N{ZERO WIDTH NON-JOINER}"
LEFTWARD = {"R", "AL", "AN"}  # Unicode's classes of what is not written from left to right
MIRRORED = str.maketrans({bracket: each["pair"] for bracket, each in BIDI_BRACKETS.items()} | {"«": "»", "»": "«"})


@dataclass(frozen=True)
class Glyph:
    """One shape, all its measures in thousandths of the font's size."""

    number: int
    letters: str  # those it stands for; none where another glyph has said them
    advance: int
    right: int
    up: int


@dataclass(frozen=True)
class Run:
    """Letters of one font and one direction; Roboto's, which need no glyphs, where there is no script."""

    letters: str  # as they are read
    script: str | None
    level: int  # of nested directions
    glyphs: tuple[Glyph, ...] = ()  # from left to right
    advances: tuple[int, ...] = ()  # a number for each letter: what stands together is counted at its first

    @property
    def is_leftward(self) -> bool:
        return self.level % 2 == 1

    @property
    def in_sight(self) -> str:
        """Roboto's letters from left to right."""
        return self.letters[::-1].translate(MIRRORED) if self.is_leftward else self.letters


@lru_cache(maxsize=512)
def runs(text: str) -> tuple[Run, ...]:
    """`text` in parts, in the order of reading."""
    kinds = list(zip(_scripts(text), _levels(text), strict=True))
    ends = [place for place, (one, other) in enumerate(pairwise(kinds), start=1) if one != other]
    parts = (Run(text[start:end], *kinds[start]) for start, end in pairwise((0, *ends, len(text))))
    return tuple(_shaped(part, part.script) if part.script else part for part in parts)


def from_left_to_right(parts: Iterable[Run]) -> list[Run]:
    """Runs in the order of sight: rule L2 of Unicode's bidirectional algorithm."""
    ordered = list(parts)
    for level in range(max(run.level for run in ordered), 0, -1):
        ordered = list(_turned(ordered, level))
    return ordered


def _turned(parts: list[Run], level: int) -> Iterator[Run]:
    """All stretches of at least this level turned around."""
    for is_deep, group in groupby(parts, lambda run: run.level >= level):
        stretch = list(group)
        yield from reversed(stretch) if is_deep else stretch


def _levels(text: str) -> list[int]:
    if LEFTWARD.isdisjoint(map(bidirectional, text)):
        return [0] * len(text)
    levels: list[int] = []
    for letter in BidiParagraph(text, preserve_bn_chars=True).get_characters_with_embedding_level():
        levels.append(levels[-1] if levels and letter.character in JOINERS else letter.embedding_level)
    return levels


def _scripts(text: str) -> list[str | None]:
    """Each letter's script; spaces and signs between letters of one script are of it, too, where its font has them."""
    scripts = list(_letters_scripts(text))
    for gap in BETWEEN.finditer(text):
        before, after = scripts[gap.start() - 1], scripts[gap.end()]
        if before and before == after and _has_all(before, gap.group()):
            scripts[gap.start() : gap.end()] = [before] * len(gap.group())
    return scripts


def _letters_scripts(text: str) -> Iterator[str | None]:
    """Each letter's script: one for a letter and its marks, where some font has them all."""
    starts = [0, *(place for place, letter in enumerate(text) if place and not _is_attached(letter)), len(text)]
    for start, end in pairwise(starts):
        cluster = text[start:end]
        letters = [letter for letter in cluster if letter not in JOINERS]
        if is_plain(cluster):
            yield from [None] * len(cluster)
        elif together := next((each for each in map(script_of, letters) if each and _has_all(each, letters)), None):
            yield from [together] * len(cluster)
        else:
            yield from map(script_of, cluster)


def _is_attached(letter: str) -> bool:
    return category(letter)[0] == "M" or letter in JOINERS


def _has_all(script: str, letters: Iterable[str]) -> bool:
    return all(map(script_font(script).has, letters))


def _shaped(run: Run, script: str) -> Run:
    buffer = uharfbuzz.Buffer()
    buffer.add_str(run.letters)
    buffer.language = "und"  # else it is the machine's
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if run.is_leftward else "ltr"
    uharfbuzz.shape(script_font(script).font, buffer)
    shapes = [
        (info.cluster, Glyph(info.codepoint, "", position.x_advance, position.x_offset, position.y_offset))
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
    ]
    glyphs: list[Glyph] = []
    advances = [0] * len(run.letters)
    for start, letters, cluster in _clusters(run.letters, shapes[::-1] if run.is_leftward else shapes):
        advances[start] = sum(glyph.advance for glyph in cluster)
        glyphs += _telling(letters, [*cluster, *_unseen(len(letters) - len(cluster), run)])
    return replace(run, glyphs=tuple(glyphs[::-1] if run.is_leftward else glyphs), advances=tuple(advances))


def _clusters(text: str, shapes: list[tuple[int, Glyph]]) -> Iterator[tuple[int, str, list[Glyph]]]:
    """Letters that are shaped together: where they start, what they are, and their glyphs."""
    groups = [(start, [glyph for _, glyph in group]) for start, group in groupby(shapes, itemgetter(0))]
    ends = [*(start for start, _ in groups[1:]), len(text)]
    for (start, glyphs), end in zip(groups, ends, strict=True):
        yield start, text[start:end], glyphs


def _telling(letters: str, glyphs: list[Glyph]) -> Iterator[Glyph]:
    """Glyphs that stand for one letter each, the last for those that are left."""
    for place, glyph in enumerate(glyphs, start=1):
        yield replace(glyph, letters=letters[place - 1 :] if place == len(glyphs) else letters[place - 1 : place])


def _unseen(count: int, run: Run) -> list[Glyph]:
    """Glyphs for letters that share one: where they are written leftward, some programs would turn them around."""
    if not run.is_leftward or not run.script:
        return []
    return [Glyph(script_font(run.script).font.get_nominal_glyph(ord(INVISIBLE)), "", 0, 0, 0)] * count
