"""Words from outside, as they may stand in a mail: a name is one line, and neither a paragraph of ours nor a link."""

import re
from typing import Annotated, Any
from unicodedata import category

from pydantic import BeforeValidator

LONGEST = 100  # characters

# What mail programs make clickable in plain text; initials such as А.С. are none.
LINK = re.compile(r"://|@|\bwww\.|\w\.\w+/|\w{2,}\.\w{2,}")


def one_line(value: Any) -> str | None:
    """The words in one line; None for what is blank, no words at all, or a link."""
    if not isinstance(value, str):
        return None
    line = " ".join(value.split())
    visible = "".join(character for character in line if not category(character).startswith("C"))
    return None if LINK.search(visible) else visible[:LONGEST].strip() or None


Words = Annotated[str | None, BeforeValidator(one_line)]
