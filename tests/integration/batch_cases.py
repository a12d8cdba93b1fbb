"""What the tests of batches share: rows that are refused, servers that are impatient, connections that end."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

import settings
from db.database import pool
from tests.clinic import Clinic

CHANGES = "UPDATE OR DELETE"


def refuse(clinic: Clinic, table: str, condition: str, events: str = CHANGES) -> None:
    """Let a trigger refuse to change or remove the rows of which `condition` is true."""
    react(clinic, table, f"IF {condition} THEN RAISE EXCEPTION 'this row is not to be touched'; END IF;", events)


def react(clinic: Clinic, table: str, statements: str, events: str = CHANGES) -> None:
    """Let a trigger run `statements` before a row of `table` is changed or removed."""
    name = f"public.react_to_{table.replace('.', '_')}"
    clinic.rows(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statements} "
        "RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$"
    )
    clinic.rows(f"CREATE TRIGGER react BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


@contextmanager
def impatient(environment: pytest.MonkeyPatch, limit: str) -> Iterator[None]:
    """Sessions of ours with a time limit of the server's, such as `statement_timeout=300ms`."""
    url = settings.current().database_url
    environment.setenv("DATABASE_URL", f"{url}{'&' if '?' in url else '?'}options={quote(f'-c {limit}')}")
    _begin_anew()
    yield
    environment.setenv("DATABASE_URL", url)
    _begin_anew()


def _begin_anew() -> None:
    settings.current.cache_clear()
    pool.closeall()
