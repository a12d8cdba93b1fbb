"""What the site's dashboard calls by name follows the rules of our jobs."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from tests.clinic import Clinic
from tests.live.database import LiveDatabase


def test_statuses_by_rpc_are_those_of_our_job_and_reminders_go_once(live_database: LiveDatabase) -> None:
    site, now = live_database.site, datetime.now(UTC)
    customer = site.sign_up()
    live_database.take_over()
    with live_database.owner() as owner:
        long = site.book(customer, now - timedelta(minutes=90))
        owner.rows("UPDATE appointments SET duration_minutes = 120 WHERE id = %s", long)
        soon = site.book(customer, now + timedelta(hours=23))
        with site.visitor(customer) as visitor:
            visitor.rows("SELECT update_appointment_statuses()")
        assert owner.value("SELECT status FROM appointments WHERE id = %s", long) == "in_progress"
        for sight in (site.anonymous(), site.visitor(customer)):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), sight as visitor:
                visitor.rows("SELECT send_appointment_reminders()")
        for _ in range(3):
            with site.server() as server:
                server.rows("SELECT send_appointment_reminders()")
        mails = "SELECT count(*) FROM pgmq.q_email_queue WHERE message #>> '{variables,appointment_id}' = %s "
        assert owner.value(mails + "AND message ->> 'template' = 'appointment_reminder_24h'", soon) == 1
        assert not owner.rows("SELECT FROM balansity.reminders_between(now(), now()) WHERE appointment_id = %s", soon)


def test_metrics_are_one_row_for_an_rpc_and_have_columns_for_sql(clinic: Clinic) -> None:
    assert clinic.value("SELECT proretset FROM pg_proc WHERE oid = 'public.pgmq_metrics(text)'::regprocedure") is False
    assert clinic.rows("SELECT queue_length, waiting FROM public.pgmq_metrics('email_queue')") == [(0, 0)]
