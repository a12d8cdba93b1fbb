"""Words from outside, as they may stand in a mail: a name is one line, and neither a paragraph of ours nor a link.

An address is one line, too, and one that a browser may open.
"""

import re
from typing import Annotated, Any
from unicodedata import category
from urllib.parse import urlsplit

from pydantic import BeforeValidator

LONGEST = 100  # characters
INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # Unicode's classes: controls, and what is no character or space

# Where a space keeps mail programs from making a link of it; the initials А.С. take it well.
INSIDE_LINK = re.compile(r"(?<=\w)\.(?=\w)|:(?=//)")


def one_line(value: Any) -> str | None:
    """The words in one line; None for what is blank, or no words at all."""
    if not isinstance(value, str):
        return None
    return INSIDE_LINK.sub(r"\g<0> ", _visible(" ".join(value.split())))[:LONGEST].strip() or None


def web_link(value: str | None) -> str | None:
    """The https address as a browser reads it: it leaves line ends and control characters out."""
    address = _visible(value or "").strip().replace(" ", "%20")
    try:
        parts = urlsplit(address)
    except ValueError:  # for example https://[
        return None
    return address if parts.scheme == "https" and parts.hostname else None


def _visible(text: str) -> str:
    """Without control characters, line separators and the like."""
    return "".join(character for character in text if category(character) not in INVISIBLE)


def _without_breaks(value: Any) -> Any:
    return _visible(" ".join(value.split())) if isinstance(value, str) else value


Words = Annotated[str | None, BeforeValidator(one_line)]
Line = Annotated[str, BeforeValidator(_without_breaks)]
