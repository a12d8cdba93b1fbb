"""No page, no command and no statement of the request reads a table that grows from end to end.

What each reads is the server's own count of rows and of index entries, whichever functions it was asked through.
"""

from collections.abc import Callable, Iterator
from functools import partial

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
    # What was given up is counted up to 10,001, more than there is here, and no index tells of it by actor or by trace.
    "/messages": {"live"},
    "/messages?since=7d": {"live"},
    "/messages?about=trace={bridged}": {"live"},
    "balansity messages": {"live"},
    "balansity dead --actor send_email": {"live"},
}
TABLES = "schemaname IN ('public', 'balansity', 'dramatiq', 'pgmq')"
WHOLE = """(
    SELECT c.relname FROM pg_class c WHERE c.oid = CASE
        WHEN t.relid = 'dramatiq.live'::regclass THEN t.relid -- what is not done stands apart
        ELSE coalesce(pg_partition_root(t.relid), t.relid) END)"""  # of its parts
GIVEN_UP = """
    INSERT INTO dramatiq.live (message_id, queue_name, state, mtime, error, message)
    SELECT gen_random_uuid(), queue_name, 'rejected', mtime, 'Refused', message FROM dramatiq.done LIMIT 8000
"""
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
            cursor.execute(GIVEN_UP)
        conn.autocommit = True
        conn.cursor().execute("VACUUM ANALYZE")
        conn.close()
        yield url


class Reads:
    """Watches how much of the large tables is read."""

    def __init__(self, url: str) -> None:
        self.asking, self.looking = psycopg2.connect(url), psycopg2.connect(url)
        self.asking.autocommit = self.looking.autocommit = True
        self.own, self.counts = Clinic(self.asking), Clinic(self.looking)
        self.large = dict(self.counts.rows(ROWS, LARGE))

    def whole(self, name: str, read: Callable[[], object]) -> list[str]:
        """What of them is read as often as it has rows."""
        before = dict(self.counts.rows(READ))
        read()
        pool.closeall()  # a session tells what it read once it ends
        self.own.rows(FLUSH)
        until(lambda: self.counts.value(CLIENTS) == 2, "the pages' sessions are gone")
        after = dict(self.counts.rows(READ))
        return [
            f"{name}: {after[table] - before[table]} of {rows} rows of {table}"
            for table, rows in self.large.items()
            if after[table] - before[table] >= rows and table not in COUNTED.get(name, ())
        ]

    def close(self) -> None:
        self.asking.close()
        self.looking.close()


def test_nothing_that_is_asked_often_reads_a_large_table_whole(years: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "LOOK", 2_000)  # less than the table has, as it is after years
    reads = Reads(years)
    assert {
        "queue",
        "live",
        "delivery",
        "delivery_attempt",
        "users",
        "payments",
        "slot",
        "a_email_queue",
    } <= reads.large.keys()
    with settings_of(years):
        readings = list(prepared(reads.asking))
        reads.own.rows(FLUSH)  # what that read
        whole = [each for name, read in readings for each in reads.whole(name, read)]
    reads.close()
    assert not whole, "\n".join(whole)


def test_no_mail_on_its_way_has_a_month_read_whole(years: str) -> None:
    """The planner would join tables of months by reading them, for a single mail, too."""
    reads = Reads(years)
    [(old, address, user, appointment)] = reads.own.rows(
        "SELECT id::text, recipient, user_id::text, appointment_id::text FROM balansity.delivery "
        "WHERE appointment_id IS NOT NULL ORDER BY planned_at LIMIT 1"
    )
    reads.own.rows(FLUSH)
    entry = f"ROW('new', false, gen_random_uuid(), 'report_ready', '{address}')"
    begin = (
        f"balansity.begin_delivery({entry[:-1]}, NULL, '{user}', NULL, NULL)::balansity.mail_entry, NULL, NULL, '{{}}'"
    )
    calls = {
        "begin": f"SELECT {begin}, 30, NULL, 'sendgrid', gen_random_uuid())",
        "finish": f"SELECT balansity.finish_attempt('{old}', 1, 'sent', '202', 'x')",
        "event": f"SELECT balansity.record_event('news', '{old}', 'delivered', NULL, now())",
        "time told": f"SELECT balansity.told_time('{appointment}', 'new')",
        "given up": f"SELECT balansity.give_up_lost_deliveries(ARRAY['{old}']::uuid[], now())",
        "left before": f"SELECT balansity.may_have_left('{old}')",
        "unheard": "SELECT balansity.unheard_since('sendgrid')",
        "unsubscribed": f"SELECT balansity.unsubscribe('{old}')",
        "forgotten": f"SELECT balansity.forget_deliveries(ARRAY['{old}']::uuid[])",
    }
    whole = [
        each
        for name, call in calls.items()
        for _ in range(7)  # from the sixth time on a plan is kept
        for each in reads.whole(name, partial(reads.own.rows, call))
    ]
    reads.close()
    assert not whole, "\n".join(whole)
