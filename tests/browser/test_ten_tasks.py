"""Ten tasks of a person who answers for this system, each on the pages alone, from the overview on."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.clinic import Clinic
from tests.morning import BY_MISTAKE, Morning

WHY = "the family asked on the phone"


@pytest.fixture
def morning(clinic: Clinic, database: str, tmp_path: Path) -> Morning:
    return Morning(clinic, database, tmp_path)


@pytest.fixture
def hanging(morning: Morning) -> Iterator[str]:
    with morning.a_report_hangs() as message_id:
        yield message_id


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def decide(page: Page, button: str) -> None:
    """Say why, and press it."""
    form = page.locator("form", has=page.get_by_role("button", name=button, exact=True))
    form.get_by_label("Why").fill(WHY)
    form.get_by_role("button").click()


def test_1_why_did_this_parent_not_get_the_reminder(visit: Visit, morning: Morning) -> None:
    address = morning.somebody_was_not_reminded()
    page = visit(language="en")
    go(page, "People")
    page.get_by_label("An address").fill(address)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tr", has_text="24h")).to_contain_text("the consultation is not paid")


def test_2_what_fails_and_why_and_one_kind_alone_is_tried_again(visit: Visit, morning: Morning) -> None:
    morning.mails_failed_in_two_ways()
    page = visit(language="en")
    go(page, "Failures")
    page.locator("tr", has_text="gateways.mail.envelope.Refused").get_by_role("link").click()
    page.get_by_role("link", name="Try all again").click()
    page.get_by_role("heading", name="Try all again: 3 messages").wait_for()
    decide(page, "Try all again")
    page.get_by_text("3 of 3.").wait_for()
    go(page, "Failures")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_3_is_anything_stuck_and_how_late_are_we(visit: Visit, morning: Morning, hanging: str) -> None:
    page = visit(language="en")
    expect(page.locator(".verdict")).to_contain_text("Needs attention")
    expect(page.locator(".findings").first).to_contain_text("reports")
    page.locator("tr", has_text="reports").locator("a[href='/running']").click()
    page.get_by_role("link", name=hanging[:8]).wait_for()
    expect(page.get_by_text("relation public.answers")).to_be_visible()


def test_4_mail_is_paused_for_an_hour_and_payments_go_on(visit: Visit, morning: Morning) -> None:
    page = visit(language="en")
    go(page, "Queues")
    page.get_by_role("main").get_by_role("link", name="emails", exact=True).first.click()
    page.get_by_label("For how long").select_option("an hour")
    decide(page, "Pause")
    page.get_by_text("Paused: emails.").wait_for()
    go(page, "Overview")
    expect(page.get_by_role("main")).to_contain_text("emails is paused")


def test_5_a_report_is_sent_again(visit: Visit, morning: Morning) -> None:
    delivery_id = morning.sent_a_report()
    page = visit(language="en")
    go(page, "Deliveries")
    page.get_by_role("link", name=delivery_id[:8]).click()
    decide(page, "Send again")
    page.get_by_text("A new mail is on its way").wait_for()


def test_6_a_payment_is_stuck(visit: Visit, morning: Morning) -> None:
    number = morning.a_payment_is_stuck()
    page = visit(language="en")
    page.get_by_role("main").get_by_text("payment").first.wait_for()
    go(page, "Payments")
    page.get_by_label("number").fill(number)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/payments/{number.lower()}*")
    decide(page, "Approve as it stands")
    page.get_by_text("Approved as it stands.").wait_for()


def test_7_what_ran_last_night(visit: Visit, morning: Morning) -> None:
    morning.last_night()
    page = visit(language="en")
    go(page, "Jobs")
    page.get_by_role("link", name="Last night").click()
    expect(page.locator("tr", has_text="OperationalError").filter(has_text="02:00:00")).to_have_count(1)


def test_8_what_will_run_tomorrow(visit: Visit, morning: Morning) -> None:
    appointment = morning.tomorrow()
    page = visit(language="en")
    go(page, "Plan")
    expect(page.locator("tr", has=page.get_by_role("link", name=appointment[:8])).first).to_contain_text("24")


def test_9_mails_that_were_enqueued_by_mistake_are_cancelled(visit: Visit, morning: Morning) -> None:
    morning.mails_by_mistake()
    page = visit(language="en")
    go(page, "Messages")
    page.get_by_label("Queue").select_option("emails")
    page.get_by_label("Changed within").select_option("10 minutes")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Cancel all").click()
    page.get_by_role("heading", name=re.compile("5,?000 messages")).wait_for()
    decide(page, "Cancel all")
    page.get_by_text("5,000 of 5,000.").wait_for()
    assert morning.clinic.rows("SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state") == [
        ("cancelled", BY_MISTAKE)
    ]


def test_10_a_worker_hangs_and_its_stack_tells_where(visit: Visit, morning: Morning, hanging: str) -> None:
    page = visit(language="en")
    go(page, "Running")
    page.get_by_role("main").get_by_role("link", name=re.compile(r"\d+ · ")).click()
    page.get_by_role("button", name="Look where it stands").click()
    page.get_by_text("actors/reports.py").wait_for()
    page.get_by_role("link", name=hanging[:8]).first.click()
    decide(page, "Cancel")
    page.get_by_text("asked to end").wait_for()
