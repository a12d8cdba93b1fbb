"""A family's page of the web process, as a phone and a desk show it to whoever followed a mail's link."""

from base64 import b64encode

import pytest
from playwright.sync_api import Browser, Page

import settings
from db.connection import Connection
from mail import unsubscribing
from tests.browser.busy_day import complaints
from tests.integration.mail_cases import row

DELIVERY = "b0000000-0000-4000-8000-00000000000b"


@pytest.fixture(params=[(360, "light"), (360, "dark"), (1440, "light")])
def page(site: str, browser: Browser, environment: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Page:
    environment.setenv("WEB_URL", site.replace("http://", "https://"))
    environment.setenv("UNSUBSCRIBE_KEYS", b64encode(b"k" * 32).decode())
    environment.setenv("CLINIC_PHONE", "+7 495 123-45-67")
    environment.setenv("EMAIL_REPLY_TO", "help@balansity.example")
    settings.current.cache_clear()
    width, scheme = request.param
    return browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, locale="en")


def test_a_button_ends_the_reminders(page: Page, site: str, connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO balansity.delivery (id, key, template, state, recipient, message_id, planned_at, changed_at)"
            " VALUES (%s, 'k', 'appointment_reminder_24h', 'sent', 'anna@example.com', 'm', now(), now())",
            (DELIVERY,),
        )
    page.goto(unsubscribing.link(DELIVERY).replace("https://", "http://"))
    assert complaints(page) == []
    page.get_by_role("button", name="Отписаться").click()
    page.get_by_role("heading", name="Вы отписались").wait_for()
    assert complaints(page) == []
    assert page.get_by_role("link", name="+7 495 123-45-67").get_attribute("href") == "tel:+74951234567"
    assert row(connection, "SELECT address, reason FROM balansity.suppression") == {
        "address": "anna@example.com",
        "reason": "unsubscribed",
    }
    page.goto(f"{site}/unsubscribe/cut-off")
    assert complaints(page) == []
    page.get_by_role("heading", name="Ссылка не подходит").wait_for()
