"""Words from outside, as they may stand in a mail: one line, and neither a paragraph of ours nor a link.

What a family calls somebody stands in it only if it looks like a person's name.
"""

import re
from typing import Annotated, Any
from unicodedata import category, normalize

from pydantic import BeforeValidator

LONGEST = 100  # characters
INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # Unicode's classes: controls, and what is no character or space

# Where a space keeps mail programs from making a link of it; the initials А.С. take it well. Some take other scripts'
# dots and colons for ours, and an address without its slashes for a whole one.
INSIDE_LINK = re.compile(r"(?<=\w)[.․。．｡﹒ꓸ](?=\w)|[:：︓﹕](?=[^\s\d])")

LONGEST_NAME = 60  # characters
MOST_WORDS = 4  # of a name: more of them are a sentence
LETTERS = {"Lu", "Ll", "Lt", "Lo"}  # and few of the class Lm, which has signs that look like dots and colons
MODIFIERS = set("ʹʻʼー々")
FILLERS = set("\u115f\u1160\u3164\uffa0")  # letters of Hangul that show nothing
# A word of a name: letters (a) with their accents (m), joined by apostrophes and hyphens; or initials.
NAME_WORD = re.compile(r"(?:am{0,3})+(?:['’‘‐–-](?:am{0,3})+)*|(?:am{0,3}\.)+")


def one_line(value: Any) -> str | None:
    """The words in one line; None for what is blank, or no words at all."""
    if not isinstance(value, str):
        return None
    return INSIDE_LINK.sub(r"\g<0> ", _without_breaks(value))[:LONGEST].strip() or None


def person_name(value: Any) -> str | None:
    """What somebody is called; None for what nobody is: too much of it, numbers, links, other signs than a name has."""
    words = _without_breaks(value).split() if isinstance(value, str) else []
    is_one = len(words) <= MOST_WORDS and len(" ".join(words)) <= LONGEST_NAME
    return one_line(" ".join(words)) if is_one and all(map(_belongs_to_a_name, words)) else None


def _belongs_to_a_name(word: str) -> bool:
    """Judged as mail programs read it, who take ｅ for e and ⒈ for 1."""
    return NAME_WORD.fullmatch("".join(map(_sort, normalize("NFKC", word)))) is not None


def _sort(character: str) -> str:
    kind = category(character)
    if (kind in LETTERS and character not in FILLERS) or character in MODIFIERS:
        return "a"
    return "m" if kind[0] == "M" else character


def _without_breaks(value: Any) -> Any:
    """In one line, without control characters, line separators and the like."""
    if not isinstance(value, str):
        return value
    return "".join(character for character in " ".join(value.split()) if category(character) not in INVISIBLE)


Words = Annotated[str | None, BeforeValidator(one_line)]
Name = Annotated[str | None, BeforeValidator(person_name)]
Line = Annotated[str, BeforeValidator(_without_breaks)]
