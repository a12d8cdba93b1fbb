"""Whether the database has what this version needs, and takes writes."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import db
from checks.finding import Finding
from db import queries
from db.connection import Connection
from translations import N_

MIGRATIONS = Path(db.__file__).parent / "migrations"


def migrated(conn: Connection) -> Iterator[Finding]:
    missing = sorted(known() - {row.migration_id for row in queries.checks.applied(conn)})
    if missing:
        yield Finding(
            "bad",
            N_("Migrations are missing: %(missing)s"),
            N_("Run `balansity migrate`."),
            check="migrations-missing",
            facts={"missing": ", ".join(missing)},
            calls=True,
        )
    else:
        yield Finding("good", N_("Every migration is applied."), check="migrations-missing")


def writable(conn: Connection) -> Iterator[Finding]:
    if queries.checks.is_read_only(conn):
        what = N_("The database takes no writes: everything waits.")
        remedy = N_("Free its disk or promote its standby, whatever made it so; all goes on by itself afterwards.")
        yield Finding("bad", what, remedy, check="database-read-only", calls=True)
    else:
        yield Finding("good", N_("The database takes writes."), check="database-read-only")


@cache
def known() -> frozenset[str]:
    """The migrations of this version."""
    return frozenset(file.stem for file in MIGRATIONS.glob("*/[0-9]*") if file.suffix in {".py", ".sql"})
