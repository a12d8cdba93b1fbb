"""Words from outside, as they may stand in a mail: a name is one line, and neither a paragraph of ours nor a link."""

import re
from typing import Annotated, Any
from unicodedata import category

from pydantic import BeforeValidator

LONGEST = 100  # characters

# Where a space keeps mail programs from making a link of it; the initials А.С. take it well.
INSIDE_LINK = re.compile(r"(?<=\w)\.(?=\w)|:(?=//)")


def one_line(value: Any) -> str | None:
    """The words in one line; None for what is blank, or no words at all."""
    if not isinstance(value, str):
        return None
    line = " ".join(value.split())
    visible = "".join(character for character in line if not category(character).startswith("C"))
    return INSIDE_LINK.sub(r"\g<0> ", visible)[:LONGEST].strip() or None


Words = Annotated[str | None, BeforeValidator(one_line)]
