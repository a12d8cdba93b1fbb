"""Migrations apply once, from many processes at once, to empty and to live databases."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

import actors
from db import releases
from db.connection import Connection
from db.migrate import BROKER, MIGRATIONS, Migrated, migrate
from errors import DatabaseError
from tests.clinic import take_over
from tests.integration.test_live_database import OLDER_DEPLOYMENT


def test_a_second_migration_finds_nothing_to_do(empty_database: str) -> None:
    assert "001_create_domain_tables" in migrate(empty_database).applied
    assert migrate(empty_database) == Migrated()


def test_processes_that_migrate_at_once_apply_each_migration_once(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = [name for done in threads.map(migrate, [empty_database] * 4) for name in done.applied]
    assert len(applied) == len(set(applied)) > 0


def test_a_live_table_keeps_its_columns_and_rows(empty_database: str) -> None:
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE public.users (id uuid PRIMARY KEY, email text, loyalty_points int)")
        cursor.execute("INSERT INTO public.users VALUES (gen_random_uuid(), 'anna@example.com', 7)")
    migrate(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("SELECT email, loyalty_points FROM public.users")
        assert cursor.fetchall() == [("anna@example.com", 7)]
    conn.close()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            """
            ALTER TABLE public.appointments DROP CONSTRAINT appointments_status_check,
                ALTER COLUMN status TYPE public.appointment_status USING status::public.appointment_status
            """,
            r"appointments.status is of the enum type public.appointment_status, but.*ALTER COLUMN status TYPE text",
        ),
        (
            """
            INSERT INTO public.payments (user_id, amount) SELECT id, 5000 FROM public.users;
            INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status, payment_id)
            SELECT p.user_id, t.id, now(), 'scheduled', p.id
            FROM public.payments p, public.appointment_types t, generate_series(1, 2)
            """,
            r"Several appointments have payment_id [0-9a-f-]{36}: set it to NULL in all but one",
        ),
        (
            """
            ALTER TABLE public.appointments DROP CONSTRAINT appointments_status_check;
            INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status)
            SELECT u.id, t.id, now(), 'rescheduled' FROM public.users u, public.appointment_types t
            """,
            r'Appointment [0-9a-f-]{36} has the status "rescheduled", which nothing here knows: set it to pending',
        ),
        (
            "CREATE VIEW public.waiting AS SELECT * FROM public.pgmq_read('email_queue', 1)",
            r"pgmq_read\(text,integer\) must make way for ours, but view public.waiting depends on .*: drop",
        ),
    ],
)
def test_what_is_in_the_way_is_named_with_its_remedy(empty_database: str, statement: str, sentence: str) -> None:
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute(OLDER_DEPLOYMENT)
        cursor.execute(
            "CREATE TYPE public.appointment_status AS ENUM "
            "('scheduled', 'in_progress', 'completed', 'cancelled', 'no_show')"
        )
        cursor.execute(statement)
    conn.close()
    with pytest.raises(DatabaseError, match=sentence):
        take_over(empty_database)


def test_what_was_applied_before_an_obstacle_is_logged(empty_database: str, caplog: pytest.LogCaptureFixture) -> None:
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute(OLDER_DEPLOYMENT)
        cursor.execute("ALTER TABLE public.appointments DROP CONSTRAINT appointments_status_check")
        cursor.execute(
            "INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at, status) "
            "SELECT u.id, t.id, now(), 'rescheduled' FROM public.users u, public.appointment_types t"
        )
    conn.close()
    with caplog.at_level("INFO"), pytest.raises(DatabaseError):
        migrate(empty_database)
    assert "migration_applied migration=001_create_domain_tables" in caplog.messages
    assert "migration_applied migration=003_validate_appointment_status" not in caplog.messages


def test_what_a_live_database_does_its_own_way_is_no_obstacle(empty_database: str) -> None:
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute(OLDER_DEPLOYMENT)
        cursor.execute("CREATE UNIQUE INDEX one_payment ON public.appointments (payment_id)")
        cursor.execute("ALTER TABLE public.appointments ADD CONSTRAINT in_lower_case CHECK (status = lower(status))")
        cursor.execute("CREATE PROCEDURE public.pgmq_nack(queue_name text, msg_id bigint) LANGUAGE sql AS 'SELECT'")
    take_over(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.appointments_payment_id_unique')")
        assert cursor.fetchone() == (None,)
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'public.appointments'::regclass "
            "ORDER BY conname"
        )
        assert cursor.fetchall() == [("appointments_status_check",), ("in_lower_case",)]
    conn.close()


def test_an_index_that_was_left_half_made_is_made_anew_and_a_namesake_of_the_site_stays(empty_database: str) -> None:
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute(OLDER_DEPLOYMENT)
        cursor.execute("CREATE INDEX appointments_payment_id_unique ON public.appointments (payment_id)")
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false "
            "WHERE indexrelid = 'public.appointments_payment_id_unique'::regclass"
        )
        cursor.execute(
            "CREATE INDEX payments_external_payment_id_idx ON public.payments (external_payment_id) "
            "WHERE status = 'pending'"
        )
    migrate(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, i.indisunique, i.indpred IS NULL "
            "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indisvalid AND (c.relname LIKE 'appointments_payment_id%' OR c.relname LIKE 'payments_external%') "
            "ORDER BY 1"
        )
        assert cursor.fetchall() == [
            ("appointments_payment_id_unique", True, False),
            ("payments_external_payment_id_idx", False, False),
            ("payments_external_payment_id_idx1", False, True),
        ]
    conn.close()


def test_tables_that_appear_in_public_are_closed_to_whoever_is_granted_them(empty_database: str) -> None:
    """Supabase's default privileges give its visitors every new table; those of a live database are its own affair."""
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE public.packages (id uuid PRIMARY KEY, name text, session_count int, price int)")
        cursor.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC")
    migrate(empty_database)
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND NOT relrowsecurity"
        )
        assert cursor.fetchall() == [("packages",)]
        cursor.execute("INSERT INTO public.users (email) VALUES ('anna@example.com')")
        cursor.execute("CREATE ROLE visitor_of_a_test")
        cursor.execute("SET ROLE visitor_of_a_test")
        cursor.execute("SELECT count(*) FROM public.users")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE public.appointment_types SET price = 0")
        assert cursor.rowcount == 0
    conn.close()


def test_a_queue_that_was_made_anew_is_furnished_again(database: str, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW pgmq.email_queue")
        cursor.execute("SELECT pgmq.drop_queue('email_queue'), pgmq.create('email_queue')")
        actors.publish(database)
        cursor.execute("SELECT pgmq.send('email_queue', '{\"priority\": 1}')")
        cursor.execute("SELECT message FROM pgmq.email_queue")
        assert cursor.fetchall() == [({"priority": 1},)]
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'pgmq.q_email_queue'::regclass")
        assert cursor.fetchall() == [("ring",)]
        cursor.execute("SELECT to_regclass('pgmq.email_queue_urgent') IS NOT NULL")
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize("what", ["TRIGGER ring ON pgmq.q_email_queue", "INDEX pgmq.email_queue_urgent"])
def test_what_somebody_removed_of_a_routes_furniture_comes_back(
    connection: Connection, database: str, what: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP {what}")
        actors.publish(database)
        cursor.execute("SELECT dramatiq.doorless_routes()")
        assert cursor.fetchall() == []
        cursor.execute("SELECT to_regclass('pgmq.email_queue_urgent') IS NOT NULL")
        assert cursor.fetchone() == (True,)


def test_the_brokers_migrations_alone_make_a_whole_broker(empty_database: str) -> None:
    assert "010_create_queue" in migrate(empty_database, (BROKER,)).applied
    assert migrate(empty_database, (BROKER,)) == Migrated()
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('balansity'), to_regclass('public.users')")
        assert cursor.fetchone() == (None, None)
        cursor.execute(
            "INSERT INTO dramatiq.actor (name, queue_name, signature, pgmq_queue) "
            "VALUES ('thank', 'thanks', 'thank()', 'thanks_queue')"
        )
        cursor.execute("SELECT dramatiq.furnish_routes()")
        cursor.execute("""SELECT pgmq.send('thanks_queue', '{"to": "anna@example.com"}')""")
        cursor.execute("SELECT message FROM pgmq.thanks_queue")
        assert cursor.fetchall() == [({"to": "anna@example.com"},)]
        cursor.execute("SELECT to_regclass('pgmq.thanks_queue_urgent') IS NOT NULL")
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT dramatiq.doorless_routes() UNION ALL SELECT dramatiq.missing_route_rights()")
        assert cursor.fetchall() == []
    conn.close()


def test_two_that_furnish_a_route_at_once_make_one_queue(empty_database: str) -> None:
    migrate(empty_database, (BROKER,))
    with psycopg2.connect(empty_database) as conn, conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dramatiq.actor (name, queue_name, signature, pgmq_queue) "
            "VALUES ('thank', 'thanks', 'thank()', 'thanks_queue')"
        )
    conn.close()

    def furnish(url: str) -> None:
        conn = psycopg2.connect(url)
        with conn, conn.cursor() as cursor:
            cursor.execute("SELECT dramatiq.furnish_routes()")
        conn.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(furnish, [empty_database] * 4))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (
            "UPDATE dramatiq.migration_digest SET digest = 'other' WHERE migration_id = '010_create_queue'",
            "010_create_queue",
        ),
        ("DELETE FROM balansity.migration_digest WHERE migration_id = '031_setup_queues'", "031_setup_queues"),
        # as the versions before digests left it: one folder, remembered in balansity, and no note of what should be
        (
            """
            DROP SCHEMA dramatiq CASCADE;
            DROP TABLE balansity.migration_digest, balansity.intended;
            INSERT INTO balansity.migration (migration_hash, migration_id) VALUES ('1', '001_a_broker')
            """,
            "001_a_broker",
        ),
    ],
)
def test_a_database_that_earlier_files_made_is_refused_by_name(database: str, change: str, name: str) -> None:
    conn = psycopg2.connect(database)
    with conn, conn.cursor() as cursor:
        cursor.execute(change)
    with pytest.raises(DatabaseError, match=f"was made by an earlier {name}, which no release had"):
        migrate(database)
    with conn, conn.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('dramatiq') IS NULL")
        assert cursor.fetchone() == ("DROP SCHEMA" in change,)
    conn.close()


def test_a_released_migration_that_was_changed_is_named_with_its_remedy(empty_database: str, tmp_path: Path) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    broker = (tmp_path / "migrations" / "broker", "dramatiq")
    digests = releases.digests(tmp_path / "migrations")
    (tmp_path / "released.json").write_text(json.dumps({"version": "0.1.0", "commit": "c0ffee", "migrations": digests}))
    migrate(empty_database, (broker,))
    with (broker[0] / "018_remove_messages.sql").open("a") as file:
        file.write("-- a comment\n")
    with pytest.raises(DatabaseError, match=r"has 018_remove_messages as it was released, .*git checkout c0ffee --"):
        migrate(empty_database, (broker,))


def test_a_database_that_a_newer_version_migrated_is_not_refused(database: str) -> None:
    conn = psycopg2.connect(database)
    with conn, conn.cursor() as cursor:
        cursor.execute("INSERT INTO balansity.migration (migration_hash, migration_id) VALUES ('1', '090_newer')")
        cursor.execute("INSERT INTO balansity.migration_digest VALUES ('090_newer', 'of its own')")
    conn.close()
    assert migrate(database) == Migrated()


def test_no_visitor_may_call_ours_whatever_new_functions_are_granted(empty_database: str) -> None:
    conn = psycopg2.connect(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC")
        cursor.execute("CREATE SCHEMA dramatiq")
        cursor.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA dramatiq GRANT ALL ON TABLES TO PUBLIC")
    migrate(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("CREATE FUNCTION dramatiq.later() RETURNS void LANGUAGE sql AS ''")
    migrate(empty_database)
    with conn, conn.cursor() as cursor:
        cursor.execute("""
            SELECT oid::regprocedure::text FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
            WHERE grantee = 0 AND (pronamespace IN ('dramatiq'::regnamespace, 'balansity'::regnamespace)
                                   OR pronamespace = 'public'::regnamespace AND proname ~ '^(pgmq|queue|handle)_')
            UNION ALL
            SELECT oid::regclass::text FROM pg_class, aclexplode(relacl)
            WHERE grantee = 0 AND relnamespace = 'dramatiq'::regnamespace
        """)
        assert cursor.fetchall() == []
    conn.close()
