"""What may be logged or shown: no secret of the settings, and nothing that a terminal obeys or a reader misreads."""

import re
from collections.abc import Iterable

SHORTEST_SECRET = 4  # characters; a shorter one would be found in half of all words
CONCEALED = "(secret)"

# Control characters but for tab and line end; soft, bidirectional and other invisible ones; halves of pairs.
# Emoji and Persian need the joiners U+200C and U+200D.
OBEYED = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u180e\\u200b\\u200e\\u200f"
    "\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)
secrets: re.Pattern[str] | None = None


def conceal(words: Iterable[str]) -> None:
    """Keep these words out of everything that is told from now on; said once, when the settings are read."""
    global secrets  # noqa: PLW0603 - one process has one set of settings
    known = sorted({word for word in words if len(word) >= SHORTEST_SECRET}, key=len, reverse=True)
    secrets = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)") if known else None


def told(text: str) -> str:
    """`text` as it may be logged or shown."""
    return OBEYED.sub(_named, secrets.sub(CONCEALED, text) if secrets else text)


def told_json(text: str) -> str:
    """The same for JSON that is written already: it says the same to a program that reads it."""
    return OBEYED.sub(_escaped, secrets.sub(CONCEALED, text) if secrets else text)


def _named(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _escaped(found: re.Match[str]) -> str:
    """A character in JSON's way, two halves of a pair where it needs them."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
