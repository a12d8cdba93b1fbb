"""How lines of text look: their letters' size and colour, how wide they are, and where they break."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, takewhile

from reports.font import FAMILY, is_plain, shared_fonts
from reports.shaping import runs

POINT = 25.4 / 72  # in millimetres
LONGEST_LINE = 400  # letters, more than any has, unless they are nothing but marks
SHORT_WORD = re.compile(r"(?<=\b\w) |(?<=\b\w\w) ")

Colour = tuple[int, int, int]
INK: Colour = (30, 45, 54)


@dataclass(frozen=True)
class Style:
    """How letters look."""

    points: float
    colour: Colour = INK
    emphasis: str = ""  # "B" for bold

    @property
    def leading(self) -> float:
        """From one baseline to the next."""
        return self.points * POINT * 1.42

    def width(self, text: str) -> float:
        return sum(self._widths(text))

    def fitting(self, text: str, width: float) -> int:
        """How many letters of `text` fit into `width`; one at least, if there is any."""
        text = text[:LONGEST_LINE]
        fit = sum(1 for _ in takewhile(lambda end: end <= width, accumulate(self._widths(text))))
        while fit > 1 and not is_plain(text) and self.width(text[:fit]) > width:  # the last letter has another form
            fit -= 1
        return max(fit, min(len(text), 1))

    def shortened(self, text: str, width: float) -> str:
        """`text`, its end an ellipsis where it would be wider than `width`."""
        if self.fitting(text, width) == len(text):
            return text
        return text[: self.fitting(text, width - self.width("…"))].rstrip() + "…"

    def _widths(self, text: str) -> Iterator[float]:
        """Of each letter, or of several that are joined at the first of them."""
        widths = shared_fonts()[FAMILY + self.emphasis].cw
        if is_plain(text):
            return (widths[ord(letter)] * self.points * POINT / 1000 for letter in text)
        parts = (run.advances or [widths[ord(letter)] for letter in run.letters] for run in runs(text))
        return (width * self.points * POINT / 1000 for part in parts for width in part)


@lru_cache(maxsize=512)
def wrapped(text: str, style: Style, width: float) -> tuple[str, ...]:
    """`text` in lines of at most `width`; kept, since most sentences stand in every report."""
    return tuple(line.replace("\N{NO-BREAK SPACE}", " ") for line in _lines(text, style, width))


def _lines(text: str, style: Style, width: float) -> Iterator[str]:
    line = ""
    for word in _words(text, style, width):
        longer = f"{line} {word}" if line else word
        if line and style.width(longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _words(text: str, style: Style, width: float) -> Iterator[str]:
    """The words of `text`, one that is wider than a line cut into pieces.

    As Russian typesetting wants it, a dash stays with the word before it and a short word with the one after it.
    """
    for word in SHORT_WORD.sub("\N{NO-BREAK SPACE}", text.replace(" — ", "\N{NO-BREAK SPACE}— ")).split(" "):
        rest = word
        while (fitting := style.fitting(rest, width)) < len(rest):
            yield rest[:fitting]
            rest = rest[fitting:]
        yield rest
