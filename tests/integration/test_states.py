"""What the site calls answers in each state of a live database: prepared, taken over, given back, taken over again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at
from tests.live.site import Customer, Site

OURS_ALONE = ("SELECT pgmq_nack('analytics_queue', 0)", "SELECT queue_length FROM pgmq_metrics('analytics_queue')")


def assert_answers(site: Site, customer: Customer, *, ours: bool) -> None:
    """Every function that the site's server, its dashboard and its Edge Functions call."""
    now = datetime.now(UTC)
    over = site.book(customer, now - timedelta(hours=3))
    begun = site.book(customer, now - timedelta(minutes=5))
    with site.server() as server:
        assert server.value("SELECT queue_email_task('a@example.com', 's', 'payment_failed', '{}')") > 0
        assert server.value("SELECT queue_payment_processing(gen_random_uuid(), 'verify')") > 0
        asked = server.value("SELECT queue_report_generation(gen_random_uuid(), %s)", customer.user_id)
        assert asked > 0
    with site.server() as server:
        read = "SELECT to_jsonb(t) FROM pgmq_read('report_generation_queue', 30) AS t"
        task: dict[str, Any] = server.value(read)
        assert task["msg"]["user_id"] == customer.user_id
        assert server.value("SELECT pgmq_archive('report_generation_queue', %s)", task["msg_id"]) is True
        assert server.value("SELECT pgmq_archive('report_generation_queue', %s)", task["msg_id"]) is False
        server.rows("SELECT send_appointment_reminders()")
    for statement in OURS_ALONE:
        try:
            with site.server() as server:
                server.value(statement)
        except psycopg2.errors.UndefinedFunction:
            assert not ours
        else:
            assert ours
    with site.visitor(customer) as dashboard:
        dashboard.rows("SELECT update_appointment_statuses()")
    with site.server() as server:
        server.rows("SELECT update_appointment_statuses()")
        states = dict(server.rows("SELECT id::text, status FROM appointments WHERE user_id = %s", customer.user_id))
    assert (states[over], states[begun]) == ("completed", "in_progress")


def test_the_sites_calls_are_answered_whoever_is_in_charge(live_database: LiveDatabase) -> None:
    site = live_database.site
    with pointed_at(live_database.url), live_database.owner() as owner:
        customer = site.sign_up()
        balansity("migrate")
        for arguments, ours in (None, False), ([], True), (["--undo"], False), ([], True):
            if arguments is not None:
                assert "in charge" in balansity("take-over", *arguments).output
            owner.rows("DELETE FROM pgmq.q_report_generation_queue")
            assert_answers(site, customer, ours=ours)
            if arguments is not None:
                for call in ("queue_email_task('a@example.com', 's', 't')", "send_appointment_reminders()"):
                    with pytest.raises(psycopg2.errors.InsufficientPrivilege), site.anonymous() as anonymous:
                        anonymous.rows(f"SELECT {call}")


def test_the_shadow_follows_from_before_a_hand_over_to_after_its_end(live_database: LiveDatabase) -> None:
    """A look that began before the hand-over ends, one during it is refused, and after an undo it goes on."""
    with pointed_at(live_database.url):
        balansity("migrate")
        for _ in range(2):
            assert balansity("shadow", "--once").exit_code == 0
            balansity("take-over")
            assert "nothing to be the shadow of" in balansity("shadow", "--once").output
            assert balansity("shadow", "--report").exit_code == 0
            balansity("take-over", "--undo")
        assert balansity("shadow", "--once", "--anew").exit_code == 0
        with live_database.owner() as looking:
            looking.connection.autocommit = False
            looking.value("SELECT balansity.look_in_shadow()")
            assert "Ours is in charge" in balansity("take-over").output
            assert "The old system is in charge" in balansity("take-over", "--undo").output
            looking.connection.commit()
        assert balansity("shadow", "--once").exit_code == 0
