"""The named SQL queries: one file a domain noun, `-- name:` above each; `queries.jobs.add_job(conn, …)` runs one."""

from pathlib import Path
from typing import Any

import aiosql

from db.hidden import DiscreetAdapter


def __getattr__(noun: str) -> Any:
    """The queries of `<noun>.sql`, each a function whose first argument is the connection; read on first use."""
    path = Path(__file__).parent / f"{noun}.sql"
    if not path.exists():
        raise AttributeError(f"There is no {path}.")
    globals()[noun] = loaded = aiosql.from_path(path, DiscreetAdapter)
    return loaded
