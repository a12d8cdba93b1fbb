"""The named SQL queries: one file a domain noun, `-- name:` above each."""

from functools import cache
from pathlib import Path
from typing import Any

import aiosql


@cache
def load(name: str) -> Any:
    """The queries of `<name>.sql`, each a function whose first argument is the connection."""
    return aiosql.from_path(Path(__file__).parent / f"{name}.sql", "psycopg2")
