"""What differs from what the last migrate left is seen by doctor and mended by the next migrate."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from click.testing import CliRunner

import cli
import settings
from db import comparison, queries
from db.connection import Connection
from db.migrate import migrate
from db.takeover import take_over
from errors import DatabaseError
from tests.clinic import Clinic
from tests.live.database import OWNER, LiveDatabase

OLD_SYSTEM = """
    DROP TRIGGER on_payment_status_change ON public.payments;
    CREATE FUNCTION public.handle_payment_status_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN RETURN NEW; END';
    CREATE TRIGGER on_payment_status_change AFTER UPDATE ON public.payments
        FOR EACH ROW EXECUTE FUNCTION public.handle_payment_status_change();
    DROP FUNCTION public.pgmq_read(text, integer);
    CREATE FUNCTION public.pgmq_read(q text, seconds integer) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS
        'SELECT q';
    CREATE FUNCTION public.queue_email_task(recipient text, subject text, template text) RETURNS void
        LANGUAGE sql SECURITY DEFINER AS 'SELECT'
"""
DAMAGES = {
    "ALTER TABLE public.payments DISABLE TRIGGER on_payment_status_change": [
        "trigger on_payment_status_change on public.payments is disabled"
    ],
    "ALTER TABLE dramatiq.hidden_value DISABLE TRIGGER hide_value": [
        "trigger hide_value on dramatiq.hidden_value is another"  # it was to fire always
    ],
    "DROP TRIGGER on_new_appointment ON public.appointments": [
        "trigger on_new_appointment on public.appointments is missing"
    ],
    "DROP FUNCTION balansity.settle_payment": [
        "function balansity.settle_payment(uuid,timestamp with time zone) is missing"
    ],
    "GRANT EXECUTE ON FUNCTION public.queue_email_task TO PUBLIC": [
        "grant EXECUTE on ROUTINE public.queue_email_task(text,text,text,jsonb,integer) to PUBLIC is not ours"
    ],
    "GRANT SELECT ON dramatiq.queue TO PUBLIC": ["grant SELECT on dramatiq.queue to PUBLIC is not ours"],
    "DROP VIEW pgmq.email_queue; SELECT pgmq.drop_queue('email_queue')": [
        "queue email_queue is missing",
        "view pgmq.email_queue is missing",
        "trigger ring on pgmq.q_email_queue is missing",
    ],
    "DROP INDEX dramatiq.queue_due": ["index dramatiq.queue_due is missing"],
    "ALTER TABLE balansity.delivery_key DROP CONSTRAINT delivery_key_key_key": [
        "constraint delivery_key_key_key on balansity.delivery_key is missing"
    ],
    "ALTER TABLE balansity.delivery DISABLE TRIGGER keep_delivery_key": [
        "trigger keep_delivery_key on balansity.delivery is disabled"
    ],
    "DROP TABLE balansity.delivery_event_other": ["table balansity.delivery_event_other is missing"],
    "DROP TABLE balansity.delivery_key": ["table balansity.delivery_key is missing"],
    "ALTER TABLE balansity.delivery ALTER key DROP NOT NULL, ALTER attempts TYPE bigint": [
        "column balansity.delivery.key is another",
        "type balansity.delivery.attempts is another",
    ],
    "DROP TABLE balansity.suppression": ["table balansity.suppression is missing"],
    "DROP VIEW pgmq.email_queue; CREATE VIEW pgmq.email_queue AS SELECT 1 AS x": ["view pgmq.email_queue is another"],
    "GRANT SELECT (message) ON dramatiq.queue TO PUBLIC": [
        "grant SELECT (message) on dramatiq.queue to PUBLIC is not ours"
    ],
    "CREATE OR REPLACE VIEW balansity.noted AS SELECT NULL::uuid AS id": ["view balansity.noted is another"],
    OLD_SYSTEM: [
        "trigger on_payment_status_change on public.payments is another",
        "function public.handle_payment_status_change() is not ours",
        "function public.pgmq_read(text,integer) is another",
        "function public.queue_email_task(text,text,text) is not ours",
    ],
}


def differences(connection: Connection) -> list[str]:
    return [str(each) for each in comparison.differences(connection)]


def test_every_damage_is_named_and_the_next_migrate_mends_it(database: str, connection: Connection) -> None:
    clinic = Clinic(connection)
    assert differences(connection) == []
    for damage, named in DAMAGES.items():
        clinic.rows(damage)
        found = differences(connection)
        assert set(named) <= set(found), found
        migrate(database)
        assert differences(connection) == []
    pgmq_read = "SELECT pgmq_read(queue_name => 'email_queue', vt => 1)"
    assert clinic.rows(pgmq_read) == [(None,)]
    # Another version of the server would write every definition in other words: none of them differs for that.
    clinic.rows("UPDATE balansity.intended SET definition = definition || ' on PostgreSQL 99'")
    assert differences(connection) == []
    migrate(database)
    assert comparison.is_noted(connection)
    assert differences(connection) == []


def test_what_somebody_added_to_a_table_of_ours_stays_and_stops_nothing(database: str, connection: Connection) -> None:
    clinic = Clinic(connection)
    clinic.rows("ALTER TABLE balansity.delivery ADD note text, ADD CHECK (note <> '')")
    clinic.rows("CREATE OR REPLACE VIEW balansity.noted AS SELECT NULL::uuid AS id")
    migrate(database)
    assert differences(connection) == []
    assert clinic.rows("SELECT note FROM balansity.delivery") == []


def test_a_right_that_others_gave_on_is_taken_back_and_may_be_given_twice(live_database: LiveDatabase) -> None:
    task = "FUNCTION public.queue_email_task"
    with live_database.owner() as owner:
        migrate(live_database.url)
        take_over(live_database.url)
        assert queries.roles.missing_grants(owner.connection) is None
        owner.rows(f"GRANT EXECUTE ON {task} TO service_role WITH GRANT OPTION")
        owner.rows("GRANT SELECT ON balansity.delivery TO service_role WITH GRANT OPTION")
        owner.rows("GRANT USAGE ON SCHEMA balansity TO service_role")
        owner.rows("GRANT SELECT ON balansity.delivery TO balansity_web")
        with live_database.site.server() as server:
            server.rows(f"GRANT EXECUTE ON {task} TO anon; GRANT SELECT ON balansity.delivery TO balansity_web")
        assert any("to anon is not ours" in each for each in differences(owner.connection))
        migrate(live_database.url)
        assert differences(owner.connection) == []
        comparison.note_intended(owner.connection)  # as every hand-over does
        with live_database.site.anonymous() as visitor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            visitor.rows("SELECT queue_email_task('a@example.com', 's', 't')")


def said(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What doctor says of the database at `url`."""
    monkeypatch.setenv("DATABASE_URL", url)
    settings.current.cache_clear()
    try:
        return CliRunner().invoke(cli.main, ["doctor"], catch_exceptions=False).output
    finally:
        settings.current.cache_clear()


def test_what_a_superuser_migrated_becomes_the_site_owners(
    live_database: LiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the site's owner, whom the workers connect as, could not use it, and its definers would be a superuser's."""
    migrate(live_database.admin_url)
    assert "as the last migrate left them" in said(live_database.url, monkeypatch)
    with live_database.owner() as owner, live_database.superuser() as superuser:
        assert owner.rows(
            "SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'balansity'::regnamespace"
        ) == [(OWNER,)]
        live_database.site.book(live_database.site.sign_up(), datetime.now(UTC) + timedelta(days=3))
        superuser.rows("ALTER FUNCTION balansity.now() OWNER TO CURRENT_USER")
        heard = said(live_database.url, monkeypatch)
        assert "ROUTINE balansity.now() belongs to the superuser postgres" in heard
        migrate(live_database.admin_url)
        assert differences(owner.connection) == []


def test_doctor_names_the_role_that_can_mend(live_database: LiveDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(live_database.url)
    with live_database.owner() as owner, live_database.superuser() as superuser:
        superuser.rows("ALTER TABLE public.payments DISABLE TRIGGER on_payment_status_change")
        assert differences(owner.connection) == []  # an old system's trigger is its own affair
        superuser.rows("ALTER TABLE public.payments ENABLE TRIGGER on_payment_status_change")
        take_over(live_database.url)
        assert differences(owner.connection) == []
        superuser.rows("ALTER TABLE public.payments DISABLE TRIGGER on_payment_status_change")
        owner.rows("GRANT EXECUTE ON FUNCTION public.queue_email_task TO anon")
        superuser.rows("ALTER TABLE public.payments OWNER TO CURRENT_USER")
        heard = said(live_database.url, monkeypatch)
        assert "trigger on_payment_status_change on public.payments is disabled" in heard
        assert "as role postgres: it mends this" in heard
        assert "to anon is not ours" in heard
        superuser.rows("REVOKE TRIGGER ON public.payments FROM anon, authenticated, service_role")
        with pytest.raises(
            DatabaseError,
            match=r"trigger .* is disabled: permission denied for table payments; mend it as role postgres",
        ):
            migrate(live_database.url)
        superuser.rows("DROP ROLE IF EXISTS onlooker; CREATE ROLE onlooker LOGIN PASSWORD 'of-a-test'")
        onlooker = live_database.url.replace(OWNER, "onlooker")
        assert f"Connect as role {OWNER}, who owns ours" in said(onlooker, monkeypatch)
        superuser.rows("DROP ROLE onlooker")
