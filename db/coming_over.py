"""Brings a queue that is one plain table over to a table a day, while its workers go on: no release had such a queue.

All functions of the broker change together with its tables, in one transaction that takes along what is not done; what
is done follows in batches.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlparse
from psycopg2.errors import DuplicateObject, DuplicateTable
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class that psycopg2 names in lower case

from db import queries
from db.batches import work_through
from db.connection import Connection, connect

DAYS = 8  # before today: what was done earlier is purged soon
FUNCTION = "CREATE FUNCTION"
MADE = re.compile(r"^CREATE (?:UNIQUE )?[A-Z]+ (\S+)", re.MULTILINE)
CHANGED = re.compile(r"^(?:ALTER TABLE|INSERT INTO) (\S+)", re.MULTILINE)


def is_due(conn: Connection) -> bool:
    """Whether the queue is one plain table."""
    return bool(queries.coming_over.is_older(conn))


def change(conn: Connection, files: Iterable[Path]) -> None:
    """Make, of the broker's migrations, what is not there, and all functions anew, in the caller's transaction."""
    viewed = queries.coming_over.viewed_queues(conn)
    queries.coming_over.make_way(conn)
    make_anew(conn, files)
    queries.coming_over.furnish(conn, queues=viewed)
    queries.coming_over.take_along(conn)
    queries.coming_over.make_past_days(conn, days=DAYS)


def make_anew(conn: Connection, files: Iterable[Path]) -> None:
    """Make, of these migrations, what is not there, and all their functions anew, in the caller's transaction."""
    made: set[str] = set()
    with conn.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = off")  # what they call comes later
        for path in files:
            for statement in sqlparse.split(path.read_text(encoding="utf-8")):
                _run(cursor, statement, made)


def _run(cursor: Cursor, statement: str, made: set[str]) -> None:
    """A statement of a migration, as far as it is not done already; `made`: what these statements have made."""
    if FUNCTION in statement:
        _replace(cursor, statement, made)
    elif changed := CHANGED.search(statement):
        if changed[1] in made:
            cursor.execute(statement)
    elif new := MADE.search(statement):
        cursor.execute("SAVEPOINT statement")
        try:
            cursor.execute(statement)
            made.add(new[1])
        except (DuplicateObject, DuplicateTable):
            cursor.execute("ROLLBACK TO SAVEPOINT statement")
    else:
        cursor.execute(statement)


def _replace(cursor: Cursor, statement: str, made: set[str]) -> None:
    """Make a function anew; one of its name that takes something else goes, or calls would be ambiguous."""
    name = statement.split(FUNCTION, 1)[1].split("(", 1)[0].strip()
    before = [] if name in made else list(queries.coming_over.functions(cursor.connection, name=name))
    cursor.execute(statement.replace(FUNCTION, "CREATE OR REPLACE FUNCTION", 1))
    made.add(name)
    for function in set(before).intersection(queries.coming_over.functions(cursor.connection, name=name)):
        cursor.execute(f"DROP FUNCTION {function.signature}")


def follow(url: str, *, start_options: bool) -> str:
    """Move what was done to its days; says how much that was, of which nothing is to come."""
    with closing(connect(url, start_options=start_options)) as conn:

        @contextmanager
        def transaction() -> Iterator[Connection]:
            with conn:
                yield conn

        with transaction():
            if not queries.coming_over.is_unfinished(conn):
                return ""
        done = work_through(transaction, "message", queries.coming_over.former, _move)
        if not done.skipped:
            with transaction():
                queries.coming_over.clear_away(conn)
    return f"moved {done.counts['moved']} finished messages to their days{done.note()}"


def _move(conn: Connection, ids: list[str]) -> dict[str, int]:
    return {"moved": queries.coming_over.move(conn, keys=ids)}
