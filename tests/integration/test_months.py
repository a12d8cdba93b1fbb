"""The ledger lies in tables of months, and every promise about a mail holds across them: key, events and end."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

import actors
import settings
from actors.messages import purge
from checks.providers import months
from db import queries
from db.connection import Connection
from db.migrate import migrate
from tests.clinic import Clinic
from tests.integration.broker_cases import blocked
from tests.waiting import until

LEDGERS = ("delivery", "delivery_attempt", "delivery_event")
TABLES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1"
ADD = """
    INSERT INTO balansity.delivery (key, template, recipient, message_id, attempts, planned_at, changed_at)
    VALUES (%s, 'payment_confirmation', 'anna@example.com', gen_random_uuid(), 1, %s, %s) RETURNING id::text
"""
ENTRY = "ROW(%s, false, gen_random_uuid(), 'payment_confirmation', NULL, NULL, NULL, NULL, NULL)::balansity.mail_entry"
PLAN = f"SELECT (balansity.plan_delivery({ENTRY})).id::text"
WHERE = "SELECT tableoid::regclass::text FROM balansity.delivery WHERE id = %s"
KEYS = "SELECT key FROM balansity.delivery_key ORDER BY key"


@pytest.fixture(autouse=True)
def published(database: str) -> None:
    actors.publish(database)


def month_of(at: datetime, ledger: str = "delivery") -> str:
    return f"balansity.{ledger}_{at:%Y%m}"


def ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def make(clinic: Clinic, at: datetime, ledger: str = "delivery") -> None:
    clinic.rows("SELECT balansity.make_month(%s, %s)", ledger, at.date().replace(day=1))


def add(clinic: Clinic, key: str, days: int) -> str:
    """A mail that was planned and tried so many days ago and reported on, in the tables of its month."""
    at = ago(days)
    for ledger in LEDGERS:
        make(clinic, at, ledger)
    delivery_id = str(clinic.value(ADD, key, at, at))
    clinic.rows("INSERT INTO balansity.delivery_attempt VALUES (%s, 1, 'smtp', %s, %s, 'sent')", delivery_id, at, at)
    event = "INSERT INTO balansity.delivery_event VALUES (%s, %s, 'processed', NULL, %s, %s)"
    clinic.rows(event, f"of {key}", delivery_id, at, at)
    return delivery_id


def tables(clinic: Clinic, ledger: str = "delivery") -> list[str]:
    return [name for (name,) in clinic.rows(TABLES, f"balansity.{ledger}")]


class TestOneReason:
    def test_is_one_mail_whichever_month_it_was_planned_in(self, clinic: Clinic) -> None:
        first = add(clinic, "payment:1", 70)
        assert clinic.rows(WHERE, first) == [(month_of(ago(70)),)]
        assert clinic.value(PLAN, "payment:1") == first
        assert clinic.rows(ADD, "payment:1", ago(0), ago(0)) == []
        assert clinic.rows("SELECT id::text FROM balansity.delivery") == [(first,)]

    def test_is_one_mail_of_two_who_plan_it_at_once(self, clinic: Clinic, connect: Callable[[], Connection]) -> None:
        other = Clinic(connect())
        other.rows("BEGIN")
        first = other.value(PLAN, "payment:1")
        found: list[str] = []
        second = threading.Thread(target=lambda: found.append(Clinic(connect()).value(PLAN, "payment:1")))
        second.start()
        until(lambda: blocked(clinic.connection) == 1, "the second waits for the first")
        other.rows("COMMIT")
        second.join()
        assert found == [first]

    def test_is_free_where_its_mail_was_never_committed(
        self, clinic: Clinic, connect: Callable[[], Connection]
    ) -> None:
        other = Clinic(connect())
        other.rows("BEGIN")
        other.value(PLAN, "payment:1")
        other.rows("ROLLBACK")
        assert clinic.rows(KEYS) == []
        assert clinic.value(PLAN, "payment:1")

    def test_moves_with_its_mail_and_leaves_with_it(self, clinic: Clinic) -> None:
        moved = add(clinic, "payment:1", 1)
        make(clinic, ago(70))
        clinic.rows("UPDATE balansity.delivery SET planned_at = %s", ago(70))
        assert clinic.rows(WHERE, moved) == [(month_of(ago(70)),)]
        assert clinic.value(PLAN, "payment:1") == moved
        clinic.rows("SELECT balansity.forget_deliveries(ARRAY[%s]::uuid[])", moved)
        assert clinic.rows(KEYS) == [(f"forgotten:{moved}",)] == clinic.rows("SELECT key FROM balansity.delivery")
        clinic.rows("DELETE FROM balansity.delivery")
        assert clinic.rows(KEYS) == []
        add(clinic, "payment:2", 1)
        clinic.rows("TRUNCATE balansity.delivery")
        assert clinic.rows(KEYS) == []

    def test_is_known_again_after_its_table_was_lost(self, clinic: Clinic, database: str) -> None:
        first = add(clinic, "payment:1", 70)
        clinic.rows("DROP TABLE balansity.delivery_key")
        migrate(database)
        assert clinic.value(PLAN, "payment:1") == first

    def test_is_found_in_its_month_alone(self, clinic: Clinic) -> None:
        for days in (1, 40, 70):
            delivery_id = add(clinic, f"payment:{days}", days)
        plan = "\n".join(
            line
            for (line,) in clinic.rows(
                "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM balansity.delivery "
                "WHERE id = %s AND planned_at = balansity.when_planned(%s)",
                delivery_id,
                delivery_id,
            )
        )
        assert plan.count("Scan") == 1
        assert f"Subplans Removed: {len(tables(clinic)) - 1}" in plan


def test_an_event_counts_once_though_it_comes_again_next_month(clinic: Clinic) -> None:
    delivery_id = add(clinic, "payment:1", 70)
    again = "SELECT balansity.record_event(%s, %s, 'processed', NULL, now())"
    assert clinic.value(again, "of payment:1", delivery_id) is False
    assert clinic.value(again, "another", delivery_id) is True


def test_a_mail_that_was_had_sent_again_outlives_the_first(clinic: Clinic) -> None:
    first = add(clinic, "payment:1", 1300)
    second = add(clinic, "again:1", 1)
    clinic.rows("UPDATE balansity.delivery SET again_of = %s WHERE id = %s", first, second)
    purge(datetime.now(UTC))
    assert queries.deliveries.lock(clinic.connection, id=second).first_key == "again:1"


class TestMonths:
    def test_are_made_ahead(self, clinic: Clinic) -> None:
        for ledger in LEDGERS:
            assert len(tables(clinic, ledger)) == 4
            for name in tables(clinic, ledger)[:-1]:
                clinic.rows(f"DROP TABLE {name}")
        assert [finding.verdict for finding in months(clinic.connection)] == ["note"]
        assert purge(datetime.now(UTC)) == "0 messages purged"
        assert [len(tables(clinic, ledger)) for ledger in LEDGERS] == [4, 4, 4]
        assert [finding.verdict for finding in months(clinic.connection)] == ["good"]

    def test_leave_after_their_time_each_ledger_after_its_own(self, clinic: Clinic) -> None:
        kept = {days: add(clinic, f"payment:{days}", days) for days in (1, 380, 500, 1080)}
        gone = add(clinic, "payment:gone", 1095 + 62)
        attempts = len(tables(clinic, "delivery_attempt"))
        assert purge(datetime.now(UTC)) == "0 messages purged, 7 months of the ledger dropped"
        assert {key for (key,) in clinic.rows(KEYS)} == {f"payment:{days}" for days in kept}
        assert clinic.value("SELECT count(*) FROM balansity.delivery") == 4
        assert len(tables(clinic, "delivery_attempt")) == attempts - 3
        assert clinic.rows("SELECT count(*) FROM balansity.delivery_attempt") == [(2,)]
        assert clinic.rows("SELECT count(*) FROM balansity.delivery_event") == [(2,)]
        assert clinic.value(PLAN, "payment:gone") != gone

    def test_are_kept_as_long_as_settings_say(self, clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
        add(clinic, "payment:1", 200)
        environment.setenv("DELIVERY_RETENTION_DAYS", "100")
        settings.current.cache_clear()
        assert purge(datetime.now(UTC)) == "0 messages purged, 1 months of the ledger dropped"
        assert clinic.value("SELECT count(*) FROM balansity.delivery_attempt") == 1

    def test_one_that_somebody_reads_is_named_and_dropped_later(
        self, clinic: Clinic, connect: Callable[[], Connection]
    ) -> None:
        at = ago(1095 + 62)
        add(clinic, "payment:1", 1095 + 62)
        reader = Clinic(connect())
        reader.rows("BEGIN")
        reader.rows(f"SELECT FROM {month_of(at)}")
        said = purge(datetime.now(UTC))
        assert said.endswith(f"1 skipped: delivery's month {at:%Y-%m}-01 (LockNotAvailable)")
        reader.rows("COMMIT")
        assert purge(datetime.now(UTC)) == "0 messages purged, 1 months of the ledger dropped"

    def test_a_missing_one_loses_nothing_and_begins_behind_what_came_before(self, clinic: Clinic) -> None:
        for name in tables(clinic)[:-1]:
            clinic.rows(f"DROP TABLE {name}")
        first = clinic.value(PLAN, "payment:1")
        purge(datetime.now(UTC))
        second = clinic.value(PLAN, "payment:2")
        assert clinic.rows(WHERE, first) == [("balansity.delivery_other",)]
        assert clinic.rows(WHERE, second) == [(month_of(ago(0)),)]
        clinic.rows("UPDATE balansity.delivery SET planned_at = %s WHERE id = %s", ago(1200), first)
        assert purge(datetime.now(UTC)) == "0 messages purged"
        assert clinic.rows(KEYS) == [("payment:2",)] == clinic.rows("SELECT key FROM balansity.delivery")


class TestEvidence:
    """Who was told what is not a worker's to remove."""

    @pytest.fixture
    def worker(self, clinic: Clinic) -> Iterator[Clinic]:
        self.kept = add(clinic, "payment:1", 85)
        clinic.rows("SET ROLE balansity_worker")
        yield clinic
        clinic.rows("RESET ROLE")

    def test_no_young_month_is_dropped(self, worker: Clinic) -> None:
        for days in (0, 85):
            with pytest.raises(psycopg2.errors.RaiseException, match="is kept"):
                worker.rows("SELECT balansity.drop_month('delivery', %s)", ago(days).date().replace(day=1))

    def test_no_young_key_is_given_back(self, worker: Clinic) -> None:
        assert worker.value("SELECT balansity.release_keys(ARRAY(SELECT id FROM balansity.delivery))") == 0

    def test_no_young_stray_is_deleted(self, worker: Clinic) -> None:
        worker.rows("RESET ROLE")
        stray = worker.value(ADD, "payment:2", ago(40), ago(40))
        assert worker.rows(WHERE, stray) == [("balansity.delivery_other",)]
        worker.rows("SET ROLE balansity_worker")
        assert worker.value("SELECT balansity.purge_strays('delivery', 'infinity', 9)") == 0

    def test_no_table_of_another_name_is_dropped(self, worker: Clinic) -> None:
        for ledger in ("job", "delivery_key", "appointments"):
            with pytest.raises(psycopg2.Error):
                worker.rows("SELECT balansity.drop_month(%s, '2020-01-01')", ledger)

    def test_the_web_makes_and_drops_none(self, worker: Clinic) -> None:
        worker.rows("RESET ROLE")
        worker.rows("SET ROLE balansity_web")
        for call in (
            "make_month('delivery', '2020-01-01')",
            "drop_month('delivery', '2020-01-01')",
            "release_keys('{}')",
            "purge_strays('delivery', now(), 1)",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                worker.rows(f"SELECT balansity.{call}")
