"""Every page reads well on a phone and on a desk, by day and by night, in both languages, by keyboard and by ear."""

import re

import pytest

from tests.browser.busy_day import ANNA, BULK, JOB, MAIL, MESSAGE, PAYMENT, REPORT, busy, complaints
from tests.browser.conftest import Visit
from web.app import create_app

__all__ = ["busy"]

EXAMPLES = {
    "/mails/<name>.<kind>": None,
    "/unsubscribe/<token>": None,
    "/queues/<name>": "/queues/emails",
    "/messages/<uuid:id_>": f"/messages/{MESSAGE}",
    "/messages/all/<any(redrive, cancel, discard):action>": "/messages/all/redrive?queue=emails",
    "/actions/<uuid:id_>": f"/actions/{BULK}",
    "/running/<int:worker>": "/running/1",
    "/people/<kind>/<uuid:id_>": f"/people/user/{ANNA}",
    "/deliveries/<uuid:id_>": f"/deliveries/{MAIL}",
    "/payments/<uuid:id_>": f"/payments/{PAYMENT}",
    "/reports/<uuid:id_>": f"/reports/{REPORT}",
    "/jobs/<name>": f"/jobs/{JOB}?period=day",
}  # pages with arguments, each with an address; None: it is no page of the staff's
NO_PAGES = {"/health", "/health/system", "/healthz", "/readyz", "/metrics", "/htmx.min.js", "/static/<path:filename>"}


def addresses() -> list[str]:
    """All that can be asked for by GET; a new page is walked by itself."""
    rules = {rule.rule for rule in create_app().url_map.iter_rules() if "GET" in (rule.methods or ())} - NO_PAGES
    return sorted(filter(None, (EXAMPLES.get(rule, rule) for rule in rules)))


# Each width by day and by night, and each language at each width.
LOOKS = [
    (360, False, "ru"),
    (360, True, "en"),
    (961, False, "ru"),
    (961, True, "en"),
    (1440, False, "en"),
    (1440, True, "ru"),
]


@pytest.mark.parametrize(("width", "dark", "language"), LOOKS)
def test_every_page_reads_well(visit: Visit, busy: None, width: int, dark: bool, language: str) -> None:
    page = visit(width, dark=dark, language=language)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    for address in addresses():
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == language
        assert complaints(page) == [], address
        if language == "ru":
            heads = {head for head in page.locator("th").all_text_contents() if re.search("[a-z]", head)}
            assert heads <= {"pgmq"}, address  # and no word that the database alone knows
    assert errors == []


def test_what_is_away_stands_out_and_by_more_than_its_colour(visit: Visit, busy: None) -> None:
    page = visit(language="en")
    row = page.locator("tr", has_text="smtp").first
    assert row.locator(".pill.bad").inner_text() == "✗ away"
    assert page.locator("tr", has_text="yookassa").first.locator(".pill.good").inner_text() == "✓ available"


def test_the_keyboard_alone_reaches_the_content_and_a_page(visit: Visit) -> None:
    page = visit(language="en")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("navigation").get_by_role("link", name="Log").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/log")
    assert page.locator("h1").inner_text() == "Who did what, and why"
