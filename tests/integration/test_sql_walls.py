"""The broker's SQL knows nothing of the clinic's, and the clinic's asks the broker by its functions only."""

import re
from pathlib import Path
from typing import Any

import pytest

from db import migrate, queries
from db.connection import Connection
from settings import ROOT

CLINIC = re.compile(
    r"\b(public\.|balansity|(email|report_generation|payment_processing|analytics)_queue)"
    r"|'(emails|reports|payments|analytics|appointments)'"
)
TABLES = re.compile(
    r"\bdramatiq\.(queue|live|done|done_other|taken_key|worker|actor|result|counter|pause|current_pause|cancellation|look|minute|total|depth|kept_until)\b"
)
QUERIES = Path(queries.__file__).parent
BROKERS_QUERIES = {
    *("broker", "cancellations", "coming_over", "groups", "limits", "messages", "pauses", "pgmq", "results", "running"),
    "testing",
}
FILES = [path for folder in (QUERIES, migrate.BROKER[0], migrate.CLINIC[0]) for path in sorted(folder.glob("*.sql"))]

SQL = """
    SELECT pronamespace::regnamespace::text AS schema, proname AS name, pg_get_functiondef(oid) AS text
    FROM pg_proc WHERE pronamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace, 'public'::regnamespace)
    UNION ALL
    SELECT schemaname, viewname, definition FROM pg_views WHERE schemaname IN ('dramatiq', 'balansity', 'public')
    UNION ALL
    SELECT 'dramatiq', table_name || '.' || column_name, concat_ws(' ', udt_schema, udt_name, column_default)
    FROM information_schema.columns WHERE table_schema = 'dramatiq'
"""


def broken(schema: str, text: str) -> bool:
    """Whether SQL of this schema names what lies behind its wall."""
    return bool((CLINIC if schema == "dramatiq" else TABLES).search(text))


def definitions(conn: Connection) -> list[Any]:
    with conn.cursor() as cursor:
        cursor.execute(SQL)
        return cursor.fetchall()


def test_no_function_view_or_table_names_what_lies_behind_its_wall(undone: Connection) -> None:
    rows = definitions(undone)
    assert {row.schema for row in rows} == {"dramatiq", "balansity", "public"}
    assert [f"{row.schema}.{row.name}" for row in rows if broken(row.schema, row.text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_file_names_what_lies_behind_its_wall(path: Path) -> None:
    """What a migration does once, and named queries, are in no catalogue."""
    brokers = path.parent == migrate.BROKER[0] or (path.parent == QUERIES and path.stem in BROKERS_QUERIES)
    assert not broken("dramatiq" if brokers else "balansity", path.read_text(encoding="utf-8"))


def test_the_broker_runs_no_query_of_the_clinics() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "messaging").glob("*.py"))
    asked = {noun for source in sources for noun in re.findall(r"\bqueries\.(\w+)", source)}
    assert asked
    assert asked <= BROKERS_QUERIES


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("dramatiq", "SELECT FROM public.users"),
        ("dramatiq", "PERFORM balansity.now()"),
        ("dramatiq", "SELECT pgmq.send('email_queue', '{}')"),
        ("dramatiq", "PERFORM dramatiq.ring('{}') WHERE queue_name = 'emails'"),
        ("balansity", "SELECT FROM dramatiq.queue q"),
        ("public", "DELETE FROM dramatiq.worker"),
    ],
)
def test_a_breach_is_found(undone: Connection, schema: str, text: str) -> None:
    with undone.cursor() as cursor:
        cursor.execute("SET LOCAL check_function_bodies = off")
        cursor.execute(
            f"CREATE FUNCTION {schema}.breach() RETURNS void LANGUAGE plpgsql AS %s", (f"BEGIN {text}; END",)
        )
    assert [row.name for row in definitions(undone) if broken(row.schema, row.text)] == ["breach"]
