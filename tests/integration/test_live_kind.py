"""A database of the live kind takes the migrations, and the site's own statements go on working."""

from datetime import UTC, datetime, timedelta

import pytest

from db.migrate import migrate
from tests.live.database import LiveDatabase, live_database
from tests.servers import debian_postgres

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
        migrate(live_database.url)
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
        migrate(live.url)
        assert owner.rows("SELECT jobname, username FROM cron.job") == [("somebody-elses", "live_owner")]
