"""Text on its way into the database."""

import json
import re
from typing import Any

ESCAPED_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def storable(text: str) -> str:
    """`text` without what PostgreSQL refuses: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "").encode(errors="replace").decode()


def is_storable(value: Any) -> bool:
    """Whether JSON can carry a value and PostgreSQL can store that: what it refuses, its error quotes."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (RecursionError, TypeError, ValueError):
        return False
    return not ESCAPED_NUL.search(text)
