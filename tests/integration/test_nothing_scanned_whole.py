"""No page, no command and no statement of the request reads a table that grows from end to end.

What each reads is the server's own count of rows and of index entries, whichever functions it was asked through.
"""

from collections.abc import Iterator

import psycopg2
import pytest

from bench.reading import FILL, prepared, settings_of
from db.database import pool
from desk import messages
from tests.clinic import Clinic
from tests.servers import shared_postgres
from tests.waiting import until

LARGE = 5_000  # rows
SIZE = {"messages": 80_000, "mails": 90_000, "days": 5}
COUNTED = {
    # All of a long time, for that is what is asked for.
    "/jobs?from={month_ago}&to={now}": {"slot"},
    "/jobs/keep-minutes?from={month_ago}&to={now}": {"slot"},
    # Of every report, whether its check-up is there still.
    "/plan": {"assessments"},
    "/plan?period=week": {"assessments"},
    "balansity plan": {"assessments"},
    "/numbers?period=year": {"delivery", "payments", "appointments", "assessments"},
}
TABLES = "schemaname IN ('public', 'balansity', 'dramatiq', 'pgmq')"
WHOLE = "(SELECT c.relname FROM pg_class c WHERE c.oid = coalesce(pg_partition_root(t.relid), t.relid))"  # of its parts
ROWS = f"""
    SELECT {WHOLE}, sum(n_live_tup)::bigint FROM pg_stat_all_tables t
    WHERE {TABLES} GROUP BY 1 HAVING sum(n_live_tup) > %s
"""
READ = f"""
    SELECT {WHOLE}, sum(t.seq_tup_read + coalesce((
               SELECT sum(i.idx_tup_read) FROM pg_stat_all_indexes i WHERE i.relid = t.relid), 0))::bigint
    FROM pg_stat_all_tables t WHERE {TABLES} GROUP BY 1
"""
FLUSH = "SELECT pg_stat_force_next_flush()"
CLIENTS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"


@pytest.fixture
def years(server: str) -> Iterator[str]:
    """The address of a database after years, in small."""
    with shared_postgres.database(server) as url:
        conn = psycopg2.connect(url)
        with conn, conn.cursor() as cursor:
            cursor.execute(FILL.read_text(encoding="utf-8"), SIZE)
        conn.autocommit = True
        conn.cursor().execute("VACUUM ANALYZE")
        conn.close()
        yield url


def test_nothing_that_is_asked_often_reads_a_large_table_whole(years: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "LOOK", 2_000)  # less than the table has, as it is after years
    asking, looking = psycopg2.connect(years), psycopg2.connect(years)
    asking.autocommit = looking.autocommit = True
    counts, own = Clinic(looking), Clinic(asking)
    large = dict(counts.rows(ROWS, LARGE))
    assert {"queue", "delivery", "delivery_attempt", "users", "payments", "slot", "a_email_queue"} <= large.keys()
    whole: list[str] = []
    with settings_of(years):
        readings = list(prepared(asking))
        own.rows(FLUSH)
        for name, read in readings:
            before = dict(counts.rows(READ))
            read()
            pool.closeall()  # a session tells what it read once it ends
            own.rows(FLUSH)
            until(lambda: counts.value(CLIENTS) == 2, "the pages' sessions are gone")
            after = dict(counts.rows(READ))
            whole += [
                f"{name}: {after[table] - before[table]} of {rows} rows of {table}"
                for table, rows in large.items()
                if after[table] - before[table] >= rows and table not in COUNTED.get(name, ())
            ]
    asking.close()
    looking.close()
    assert not whole, "\n".join(whole)
