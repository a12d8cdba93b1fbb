"""A database of the live kind takes the migrations, and the site's own statements go on working."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from db.migrate import migrate
from errors import DatabaseError
from tests.live.database import LiveDatabase, live_database
from tests.live.site import load
from tests.servers import debian_postgres
from tests.waiting import until

SITES_ROWS = """
    SELECT (SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM public.appointments a),
           (SELECT md5(string_agg(p::text, '' ORDER BY id)) FROM public.payments p),
           (SELECT array_agg(msg_id ORDER BY msg_id) FROM pgmq.q_email_queue),
           (SELECT array_agg(msg_id ORDER BY msg_id) FROM pgmq.a_email_queue)
"""


def test_no_row_of_the_site_changes_and_its_flows_mail_once(live_database: LiveDatabase) -> None:
    site = live_database.site
    customer = site.sign_up()
    with live_database.owner() as owner:
        before = owner.rows(SITES_ROWS)
        live_database.take_over()
        assert owner.rows(SITES_ROWS) == before
        appointment_id = site.book(customer, datetime.now(UTC) + timedelta(days=3))
        external_id = site.check_out(customer, {"appointment_id": appointment_id})
        assert site.hear_of_payment(external_id)
        site.complete_checkup(customer, site.begin_checkup(customer))
        told = owner.rows(
            "SELECT message ->> 'template' FROM pgmq.q_email_queue WHERE message ->> 'to' = %s ORDER BY msg_id",
            customer.email,
        )
        assert told == [("appointment_confirmation",), ("payment_confirmation",), ("checkup_completed",)]
        assert site.read_appointments(customer)[0][1:] == ("scheduled", "Детский психолог", "completed")


@pytest.mark.skipif(not debian_postgres.offers(15, "pg_cron"), reason="needs Debian's package postgresql-15-cron")
def test_the_live_kind_has_the_old_jobs_where_pg_cron_is() -> None:
    with (
        debian_postgres.running(15, "shared_preload_libraries=pg_cron", "cron.database_name=clinic") as server,
        live_database(server, "clinic", cron=True) as live,
        live.owner() as owner,
    ):
        live.take_over()
        assert owner.rows("SELECT jobname, username FROM cron.job") == [("somebody-elses", "live_owner")]


def test_migrate_waits_for_an_open_read_and_nobody_waits_for_migrate(
    live_database: LiveDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """One open SELECT on appointments, the site's load behind it: each of its statements gives up after a second."""
    site = live_database.site
    customers = [site.sign_up(f"visitor-{number}@example.com") for number in range(2)]
    reader = psycopg2.connect(live_database.url, application_name="long report")
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.appointments")
        pid = reader.info.backend_pid
    with (
        caplog.at_level("INFO"),
        load(site, customers) as seen,
        ThreadPoolExecutor(1) as thread,
    ):
        migration = thread.submit(migrate, live_database.url)
        until(lambda: "migration_waits" in caplog.text, "migrate says that it waits")
        assert not migration.done()
        reader.rollback()
        migration.result()
    reader.close()
    assert seen.failures == []
    said = next(line for line in caplog.messages if line.startswith("migration_waits"))
    assert f"held by process {pid} (long report of role live_owner, for " in said
    assert "public.appointments" in said
    assert not list(re.findall("SELECT|count", said))


def test_migrate_gives_up_with_the_name_of_who_is_in_the_way(live_database: LiveDatabase) -> None:
    reader = psycopg2.connect(live_database.url, application_name="long report")
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.appointments")
    with pytest.raises(
        DatabaseError, match=r"in vain for public.appointments, held by process .* Nothing of it is done"
    ):
        migrate(live_database.url, patience_seconds=1)
    reader.close()
    assert migrate(live_database.url)
