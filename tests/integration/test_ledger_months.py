"""A ledger of plain tables comes over to tables of months while mails are written, and knows every mail as before."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extras import NamedTupleCursor

from db.connection import Connection
from db.migrate import Migrated, migrate
from db.releases import Release
from errors import DatabaseError
from tests.clinic import Clinic
from tests.faults.released import checked_out
from tests.waiting import until

PLAIN = Release(
    "before 0.1.0", "3e8e80a55b274345444ac788bd83f8d63666bacf", {}
)  # the last commit whose ledger was plain tables
MAILS = 6_000
FILL = """
    INSERT INTO balansity.delivery (id, key, template, recipient, state, attempts, message_id, planned_at, changed_at)
    SELECT balansity.delivery_id('old:' || number), 'old:' || number, 'report_ready', number || '@a.example',
           'delivered', 1, gen_random_uuid(), now() - number * interval '1 hour', now() - number * interval '1 hour'
    FROM generate_series(1, %(mails)s) AS number;
    INSERT INTO balansity.delivery_attempt (delivery_id, number, provider, started_at, finished_at, outcome)
    SELECT id, 1, 'sendgrid', planned_at, planned_at, 'sent' FROM balansity.delivery;
    INSERT INTO balansity.delivery_event (id, delivery_id, kind, occurred_at, received_at)
    SELECT 'of ' || key, id, 'delivered', planned_at, planned_at FROM balansity.delivery;
    ANALYZE balansity.delivery
"""
ENTRY = "ROW(%s, false, %s, 'report_ready', %s, NULL, NULL, NULL, NULL)::balansity.mail_entry"
PLAN = f"SELECT (balansity.plan_delivery({ENTRY})).id::text"
BEGIN = (
    f"SELECT delivery_id::text, number FROM balansity.begin_delivery({ENTRY}, NULL, NULL, '{{}}', 30, NULL, 'smtp', %s)"
)
FINISH = "SELECT balansity.finish_attempt(%s, %s, 'sent', '250', 'x')"
COUNTS = """
    SELECT (SELECT count(*) FROM balansity.delivery), (SELECT count(*) FROM balansity.delivery_attempt),
           (SELECT count(*) FROM balansity.delivery_event)
"""
INTENDED = "SELECT kind, name, definition FROM balansity.intended WHERE kind <> 'grant'"


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the version whose ledger was plain."""
    return checked_out(PLAIN, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def plain(empty_database: str, before: Path) -> Iterator[Clinic]:
    """A database that this version has made and used for two years."""
    code = "import sys; from db.migrate import migrate; migrate(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, empty_database], cwd=before, check=True, env=dict(os.environ))
    with closing(opened(empty_database)) as conn, conn.cursor() as cursor:
        cursor.execute(FILL, {"mails": MAILS})
        yield Clinic(conn)


def opened(url: str) -> Connection:
    conn = psycopg2.connect(url, cursor_factory=NamedTupleCursor)
    conn.autocommit = True
    return conn


@contextmanager
def mails_going_out(url: str) -> Iterator[list[str]]:
    """A worker that sends mail after mail; the keys of those that are sent."""
    sent: list[str] = []
    over = Event()

    def work() -> None:
        with closing(opened(url)) as conn:
            worker = Clinic(conn)
            while not over.is_set():
                key = f"new:{len(sent)}"
                [(delivery_id, number)] = worker.rows(BEGIN, key, str(uuid4()), f"{key}@example.com", str(uuid4()))
                worker.rows(FINISH, delivery_id, number)
                sent.append(key)

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(work)
        try:
            until(lambda: len(sent) > 20 or working.done())
            yield sent
            written = len(sent)
            until(lambda: len(sent) > written + 20 or working.done(), "it goes on")
        finally:
            over.set()
        working.result()


def plan(clinic: Clinic, key: str) -> str:
    return str(clinic.value(PLAN, key, str(uuid4()), "anna@example.com"))


def test_every_mail_is_known_as_before_while_others_go_out(plain: Clinic, empty_database: str, database: str) -> None:
    before = dict(plain.rows("SELECT key, id::text FROM balansity.delivery"))
    with mails_going_out(empty_database) as sent:
        assert "parted the ledger of mails by the month" in migrate(empty_database).mended
    assert plain.rows(COUNTS) == [(MAILS + len(sent), MAILS + len(sent), MAILS)]
    after = dict(plain.rows("SELECT key, id::text FROM balansity.delivery_key"))
    assert after == dict(plain.rows("SELECT key, id::text FROM balansity.delivery"))
    assert before.items() <= after.items()
    assert set(after) - set(before) == set(sent)
    assert plan(plain, "old:1") == before["old:1"] != plan(plain, "another")
    with closing(opened(database)) as fresh:
        assert set(plain.rows(INTENDED)) == set(Clinic(fresh).rows(INTENDED)), "as a database that was never plain"
    assert plain.value("SELECT count(*) FROM balansity.missing_months()") == 0
    assert migrate(empty_database) == Migrated()


def test_a_person_forgotten_meanwhile_stays_forgotten(plain: Clinic, empty_database: str) -> None:
    with closing(opened(empty_database)) as conn, ThreadPoolExecutor(1) as thread:
        forgetting = Clinic(conn)
        forgetting.rows("BEGIN")
        [(forgotten,)] = forgetting.rows("SELECT balansity.delivery_id('old:7')::text")
        forgetting.rows("SELECT balansity.forget_deliveries(ARRAY[%s]::uuid[])", forgotten)
        migration = thread.submit(migrate, empty_database)
        until(lambda: plain.value("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") or migration.done())
        forgetting.rows("COMMIT")
        migration.result()
    assert plain.rows("SELECT key FROM balansity.delivery_key WHERE id = %s", forgotten) == [
        (f"forgotten:{forgotten}",)
    ]


def test_it_waits_briefly_for_whoever_reads_mails_and_goes_on_where_it_stopped(
    plain: Clinic, empty_database: str
) -> None:
    with closing(opened(empty_database)) as conn:
        reader = Clinic(conn)
        reader.rows("BEGIN")
        reader.rows("SELECT FROM balansity.delivery_event LIMIT 1")
        with mails_going_out(empty_database), pytest.raises(DatabaseError, match="waited 1 s in vain for"):
            migrate(empty_database, patience_seconds=1)
        assert plain.value("SELECT relkind FROM pg_class WHERE oid = 'balansity.delivery'::regclass") == "r"
        reader.rows("COMMIT")
    assert "parted the ledger of mails by the month" in migrate(empty_database).mended
    assert plain.value("SELECT count(*) FROM balansity.delivery") == plain.value(
        "SELECT count(*) FROM balansity.delivery_key"
    )


def test_nothing_begins_in_the_last_hour_of_a_month(
    plain: Clinic, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.ledger_months.LEAST_SECONDS", 32 * 86_400)
    with pytest.raises(DatabaseError, match="Migrate again after that"):
        migrate(empty_database)
    assert plain.value("SELECT to_regclass('balansity.delivery_key') IS NULL")
