"""The shadow notes what ours would do beside the old system, sends nothing, and compares."""

import json
from datetime import UTC, datetime, timedelta

from tests.live.database import LiveDatabase
from tests.live.shell import balansity, pointed_at


def test_the_shadow_compares_and_sends_nothing(live_database: LiveDatabase) -> None:
    site = live_database.site
    now = datetime.now(UTC)
    with pointed_at(live_database.url), live_database.owner() as owner:
        balansity("migrate")
        assert balansity("shadow", "--report").exit_code == 1
        balansity("shadow", "--once")
        customer = site.sign_up()
        told, untold = (site.book(customer, now + timedelta(hours=24, minutes=minutes)) for minutes in (-20, 90))
        site.move(customer, untold, now + timedelta(hours=22))  # the old job looks 23 to 25 hours ahead
        site.complete_checkup(customer, site.begin_checkup(customer))
        site.hear_of_payment(site.check_out(customer, {"appointment_id": told}))
        for _ in range(2):
            owner.rows("SELECT public.send_appointment_reminders()")
        past = site.book(customer, now + timedelta(minutes=2))
        before = owner.rows("SELECT msg_id FROM pgmq.q_email_queue ORDER BY 1")

        owner.set_clock(now + timedelta(minutes=30))
        assert owner.value("SELECT balansity.look_in_shadow()") > 0
        assert owner.value("SELECT balansity.look_in_shadow()") == 0
        assert owner.rows("SELECT msg_id FROM pgmq.q_email_queue ORDER BY 1") == before
        assert owner.value("SELECT count(*) FROM dramatiq.queue") == 0

        report = json.loads(balansity("shadow", "--report", "--json").stdout)
        compared = {(row["act"], row["verdict"]): row for row in report["compared"]}
        assert compared["appointment_reminder_24h", "theirs repeated"]["about"] == [told]
        assert untold in compared["appointment_reminder_24h", "ours only"]["about"]
        assert compared["appointment_confirmation", "same"]["acts"] == 3
        assert compared["checkup_completed", "same"]["acts"] == 1
        assert compared["payment_confirmation", "same"]["acts"] == 1
        assert compared["in_progress", "theirs is scheduled"]["about"] == [past]
        assert "theirs repeated" in balansity("shadow", "--report").output
        balansity("take-over")
        assert "Ours is in charge" in balansity("shadow", "--once").output
