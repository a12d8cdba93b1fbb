"""Where pg_cron is installed, its three old jobs make way for ours and its tables stay its own."""

from collections.abc import Iterator

import psycopg2
import pytest
from click.testing import CliRunner

import cli
import settings
from broker import broker
from db.migrate import migrate
from db.takeover import hand_back
from errors import DatabaseError
from tests.clinic import Clinic, take_over
from tests.servers import debian_postgres
from tests.servers.shared_postgres import at_database, create_database

OURS = ["update-appointment-statuses", "cleanup-old-assessments", "send-appointment-reminders"]

pytestmark = pytest.mark.skipif(
    not debian_postgres.offers(15, "pg_cron"),
    reason="needs Debian's package postgresql-15-cron",
)


@pytest.fixture
def supabase() -> Iterator[str]:
    """The address of a database that has pg_cron and its old jobs."""
    with debian_postgres.running(15, "shared_preload_libraries=pg_cron", "cron.database_name=clinic") as server:
        create_database(server, "clinic")
        yield at_database(server, "clinic")


def test_the_old_jobs_are_unscheduled_and_others_stay(supabase: str) -> None:
    conn = psycopg2.connect(supabase)
    conn.autocommit = True
    clinic = Clinic(conn)
    clinic.rows("CREATE EXTENSION pg_cron")
    for name in [*OURS, "somebody-elses"]:
        clinic.rows("SELECT cron.schedule(%s, '*/5 * * * *', 'SELECT 1')", name)
    migrate(supabase)
    assert len(clinic.rows("SELECT FROM cron.job")) == 4  # it only prepares
    take_over(supabase)
    assert clinic.rows("SELECT jobname FROM cron.job") == [("somebody-elses",)]
    known = {name for (name,) in clinic.rows("SELECT jobname FROM balansity.cron_job WHERE active")}
    assert set(OURS) <= known
    assert clinic.rows("SELECT * FROM balansity.cron_job_run_details ORDER BY start_time DESC LIMIT 10") == []
    conn.close()


def test_doctor_names_an_old_job_that_came_back(supabase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = psycopg2.connect(supabase)
    conn.autocommit = True
    Clinic(conn).rows("CREATE EXTENSION pg_cron")
    migrate(supabase)
    Clinic(conn).rows("SELECT cron.schedule('send-appointment-reminders', '0 * * * *', 'SELECT 1')")
    conn.close()
    monkeypatch.setenv("DATABASE_URL", supabase)
    settings.current.cache_clear()
    said = CliRunner().invoke(cli.main, ["doctor"], catch_exceptions=False).output
    settings.current.cache_clear()
    assert "Old pg_cron jobs run beside ours: send-appointment-reminders (job 1 of role postgres)" in said


def test_a_job_of_another_role_stops_the_hand_over_by_name_before_anything_changed(supabase: str) -> None:
    conn = psycopg2.connect(supabase)
    conn.autocommit = True
    clinic = Clinic(conn)
    clinic.rows("CREATE EXTENSION pg_cron")
    clinic.rows(
        "CREATE ROLE owner LOGIN BYPASSRLS; ALTER DATABASE clinic OWNER TO owner; GRANT USAGE ON SCHEMA cron TO owner"
    )
    clinic.rows("GRANT SELECT ON cron.job, cron.job_run_details TO owner; GRANT ALL ON SCHEMA public TO owner")
    clinic.rows(
        "SET ROLE owner; SELECT cron.schedule('update-appointment-statuses', '*/5 * * * *', 'SELECT 1'); RESET ROLE"
    )
    clinic.rows("SELECT cron.schedule('send-appointment-reminders', '0 * * * *', 'SELECT 1')")
    before = clinic.rows("SELECT * FROM cron.job ORDER BY jobid")
    url = supabase.replace("postgres@", "owner@")
    with pytest.raises(
        DatabaseError, match=r"Nothing was changed: pg_cron job send-appointment-reminders \(2\) belongs to"
    ):
        take_over(url)
    assert clinic.rows("SELECT * FROM cron.job ORDER BY jobid") == before
    assert clinic.value("SELECT balansity.in_charge()") is False
    clinic.rows("SELECT cron.unschedule(2)")
    take_over(url)
    assert clinic.rows("SELECT * FROM cron.job") == []
    hand_back(url, broker.vault.lay_out)
    [job] = clinic.rows("SELECT jobname, schedule, command, username, active FROM cron.job")
    assert job == ("update-appointment-statuses", "*/5 * * * *", "SELECT 1", "owner", True)
    conn.close()


def test_visitors_of_the_site_can_call_one_function_of_ours_and_read_nothing(supabase: str) -> None:
    """Supabase grants its visitors' roles whatever appears in public; ours is not among it."""
    conn = psycopg2.connect(supabase)
    conn.autocommit = True
    clinic = Clinic(conn)
    clinic.rows("CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role")
    clinic.rows("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO anon, authenticated")
    migrate(supabase)
    callable_ = clinic.rows(
        "SELECT role, p.oid::regprocedure::text FROM pg_proc p, unnest(ARRAY['anon', 'authenticated']) AS role "
        "WHERE p.pronamespace = ANY (ARRAY['public', 'balansity', 'dramatiq']::regnamespace[]) "
        "AND has_function_privilege(role, p.oid, 'EXECUTE')"
    )
    assert callable_ == [("authenticated", "update_appointment_statuses()")]  # the dashboard of staff calls it
    schemas = clinic.rows("SELECT nspname FROM pg_namespace WHERE has_schema_privilege('anon', oid, 'USAGE')")
    assert {"balansity", "dramatiq", "pgmq", "cron"}.isdisjoint(name for (name,) in schemas)
    conn.close()


def test_our_views_have_pg_crons_columns(supabase: str, connection: psycopg2.extensions.connection) -> None:
    conn = psycopg2.connect(supabase)
    conn.autocommit = True
    Clinic(conn).rows("CREATE EXTENSION pg_cron")
    columns = (
        "SELECT table_name, column_name, CASE data_type WHEN 'name' THEN 'text' ELSE data_type END "
        "FROM information_schema.columns "
        "WHERE table_schema = 'cron' AND table_name IN ('job', 'job_run_details') ORDER BY 1, 2"
    )
    assert Clinic(connection).rows(columns) == Clinic(conn).rows(columns)
    conn.close()
