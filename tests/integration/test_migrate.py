"""Migrations apply once, from many processes at once, to empty and to live databases."""

from concurrent.futures import ThreadPoolExecutor

import psycopg2

from db.migrate import migrate


def test_a_second_migration_finds_nothing_to_do(empty_database: str) -> None:
    assert "001_create_domain_tables" in migrate(empty_database)
    assert migrate(empty_database) == []


def test_processes_that_migrate_at_once_apply_each_migration_once(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = [name for names in threads.map(migrate, [empty_database] * 4) for name in names]
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
