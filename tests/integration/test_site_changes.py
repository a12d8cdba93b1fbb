"""The site goes on: it alters its own tables after us, and its own triggers may refuse or not find what we write."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from dramatiq import Worker

import actors
import cli
import settings
from broker import broker as application
from db import queries
from db.comparison import differences
from db.database import pool
from db.migrate import Migrated, migrate
from db.statistics import choose_period, collect
from tests.live.database import LiveDatabase
from tests.live.database import live_database as live_databases
from tests.servers import debian_postgres
from tests.waiting import until

ALTERATIONS = (
    "users ALTER email TYPE varchar(320)",
    "users ADD telegram text, ALTER created_at SET NOT NULL",
    "profiles RENAME school TO kindergarten",
    "profiles ALTER first_name TYPE varchar(200), DROP avatar_url",
    "appointment_types ALTER duration_minutes TYPE numeric, ALTER name TYPE varchar(100)",
    "appointments ALTER duration_minutes TYPE smallint, ALTER status TYPE varchar(20)",
    "appointments ALTER scheduled_at TYPE timestamptz(0), ALTER timezone SET NOT NULL",
    "appointments DROP recording_url",
    "payments ALTER external_payment_id TYPE varchar(64), ALTER payment_method TYPE varchar(30)",
    "payments ALTER amount TYPE numeric(12, 2), ALTER status TYPE varchar(20)",
    "payments ALTER currency TYPE char(3), ALTER currency SET NOT NULL",
    "assessments ALTER status TYPE varchar(20), ALTER assessment_type TYPE varchar(20), ALTER current_step TYPE bigint",
    "answers ALTER value TYPE smallint, ALTER answer_type TYPE varchar(20), ALTER question_id TYPE bigint",
    "packages ALTER session_count TYPE smallint, DROP discount_percent",
    "package_purchases ALTER sessions_remaining TYPE smallint",
)


@pytest.fixture
def live(server: str, worker_id: str, tmp_path: Path) -> Iterator[LiveDatabase]:
    """A live database of ours, whose site has touchy triggers; our settings name it."""
    with (
        live_databases(server, f"changing_{worker_id}", old_system=False) as live,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DATABASE_URL", live.url)
        patch.setenv("EMAIL_OUTBOX_DIR", str(tmp_path))
        settings.current.cache_clear()
        pool.closeall()
        migrate(live.url)
        actors.publish(live.url)
        live.run("touchy_triggers.sql")
        yield live
        application.close()
        pool.closeall()
    settings.current.cache_clear()


def work(live: LiveDatabase) -> list[str]:
    """Let a worker do everything that waits; the errors of what it could not do."""
    worker = Worker(application, worker_timeout=100, worker_threads=2)
    worker.start()
    try:
        with live.owner() as owner:
            until(owner.is_worked_off)
            return [error for (error,) in owner.rows("SELECT error FROM dramatiq.queue WHERE state = 'rejected'")]
    finally:
        worker.stop()


def test_the_days_business_goes_on_after_the_site_has_altered_its_tables(live: LiveDatabase) -> None:
    site, now = live.site, datetime.now(UTC)
    anna = site.sign_up()
    with live.owner() as owner:
        for alteration in ALTERATIONS:
            owner.rows(f"ALTER TABLE public.{alteration}")
        appointment = site.book(anna, now + timedelta(days=2))
        site.hear_of_payment(site.check_out(anna, {"appointment_id": appointment}))
        site.move(anna, appointment, now + timedelta(days=3))
        package = owner.value("SELECT id::text FROM public.packages")
        site.hear_of_payment(site.check_out(anna, {"package_id": package}, "45000.00"))
        site.complete_checkup(anna, site.begin_checkup(anna), results=None)
        site.cancel(anna, site.book(anna, now + timedelta(days=1)))
        assert work(live) == []
        mails = "SELECT count(*), count(*) FILTER (WHERE state IN ('sent', 'superseded')) FROM balansity.delivery"
        assert owner.rows(mails) == [(8, 8)]
        assert owner.value("SELECT sessions_remaining FROM public.package_purchases") == 10
        assert owner.rows("SELECT reason FROM balansity.payment_flag") == []

        job = {"now": now + timedelta(days=90)}
        late = site.begin_checkup(anna)
        assert queries.appointments.update_appointment_statuses(owner.connection, keys=None, **job) == (0, 1)
        assert queries.appointments.abandon_old_assessments(owner.connection, keys=None, **job) == 1
        assert owner.value("SELECT status FROM public.assessments WHERE id = %s", late) == "abandoned"
        assert (
            queries.payments.flag_stuck(owner.connection, keys=None, can_ask=True, **job) == 0
        )  # nobody can decide the browser's
        collect(owner.connection, choose_period(None, None, ZoneInfo("Europe/Moscow")))
        assert owner.value("SELECT count(*) > 0 FROM change_log")


def test_a_payment_stands_whatever_the_sites_triggers_refuse(live: LiveDatabase) -> None:
    site, now = live.site, datetime.now(UTC)
    anna = site.sign_up()
    appointment = site.book(anna, now + timedelta(days=2))
    with live.owner() as owner:
        owner.rows("ALTER TABLE public.appointments DISABLE TRIGGER refuse_vip")
        owner.rows("UPDATE public.appointments SET notes = 'VIP'")
        owner.rows("ALTER TABLE public.appointments ENABLE TRIGGER refuse_vip")
    site.check_out(anna, {"appointment_id": appointment})
    with site.server() as server:
        server.rows("UPDATE payments SET status = 'completed' WHERE external_payment_id IS NOT NULL")
    with live.owner() as owner:
        flag = "the site's own rules refused what follows (P0001): tried again"
        finish = "SELECT balansity.finish_payments(now(), ARRAY(SELECT id FROM public.payments))"
        assert owner.rows("SELECT reason FROM balansity.payment_flag WHERE resolved_at IS NULL") == [(flag,)]
        assert owner.value(finish) == 0
        owner.rows("ALTER TABLE public.appointments DISABLE TRIGGER refuse_vip")
        assert owner.value(finish) == 1
        assert owner.rows("SELECT reason FROM balansity.payment_flag WHERE resolved_at IS NULL") == []
        assert owner.value("SELECT payment_id IS NOT NULL FROM public.appointments")
        templates = "SELECT message ->> 'template' FROM pgmq.q_email_queue ORDER BY msg_id"
        assert owner.rows(templates) == [("appointment_confirmation",), ("payment_confirmation",)]

        owner.rows(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''No.''; END'"
        )
        owner.rows(
            "CREATE TRIGGER refuse BEFORE UPDATE ON public.payments FOR EACH ROW EXECUTE FUNCTION public.refuse()"
        )
        change = "SELECT balansity.change_payment_status(id, 'completed', now()) FROM public.payments WHERE status = %s"
        assert owner.value(change, "pending") == "refused"
        flag = "the site's own rules refused completed, which the provider says (P0001)"
        assert owner.rows("SELECT reason FROM balansity.payment_flag WHERE resolved_at IS NULL") == [(flag,)]


@pytest.mark.skipif(not debian_postgres.offers(15, "citext"), reason="needs Debian's package postgresql-15")
@pytest.mark.parametrize("schema", ["public", "extensions"])
def test_addresses_become_citext_and_mails_and_forgetting_go_on(schema: str, tmp_path: Path) -> None:
    with (
        debian_postgres.running(15) as server,
        live_databases(server, "citext", old_system=False) as live,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DATABASE_URL", live.url)
        patch.setenv("EMAIL_OUTBOX_DIR", str(tmp_path))
        settings.current.cache_clear()
        pool.closeall()
        migrate(live.url)
        actors.publish(live.url)
        site, now = live.site, datetime.now(UTC)
        with live.superuser() as superuser, live.owner() as owner:
            superuser.rows(f"CREATE SCHEMA IF NOT EXISTS {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC")
            superuser.rows(f"CREATE EXTENSION citext SCHEMA {schema}")
            owner.rows(f"ALTER TABLE public.users ALTER email TYPE {schema}.citext")
            anna, vera = site.sign_up("Anna@Example.com"), site.sign_up("vera@example.com")
            owner.rows("INSERT INTO balansity.suppression VALUES ('vera@example.com', 'complained', NULL, now())")
            for person in (anna, vera):
                site.book(person, now + timedelta(days=2))
            assert work(live) == []
            mails = "SELECT lower(recipient), state FROM balansity.delivery ORDER BY 1"
            assert owner.rows(mails) == [("anna@example.com", "sent"), ("vera@example.com", "suppressed")]
            assert differences(owner.connection) == []
            assert migrate(live.url) == Migrated()
            assert CliRunner().invoke(cli.main, ["forget", anna.user_id, "--yes"]).exit_code == 0
            assert owner.value("SELECT count(*) FROM balansity.delivery WHERE lower(recipient) LIKE 'anna%%'") == 0
        application.close()
        pool.closeall()
    settings.current.cache_clear()
