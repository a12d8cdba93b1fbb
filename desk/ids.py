"""Ids as people give them: their first letters do."""

import re
from uuid import UUID

FEWEST = 4  # letters: fewer begin too many
BEGINNING = re.compile(rf"[0-9a-f]{{{FEWEST},32}}")


def beginning(words: str) -> tuple[str, str] | None:
    """The first and the last id that begin so; None where no id can."""
    letters = words.strip().lower().replace("-", "")
    if not BEGINNING.fullmatch(letters):
        return None
    return str(UUID(letters.ljust(32, "0"))), str(UUID(letters.ljust(32, "f")))
