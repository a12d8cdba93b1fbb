"""A page that is looked at stays true by itself, and says when it cannot; one that nobody looks at asks for nothing."""

import pytest
from playwright.sync_api import Page

import actors
import scheduler
from actors.emails import send_email
from broker import broker
from db.connection import Connection
from desk import control
from desk.decision import Decision
from tests.browser.conftest import Visit

BEAT_MS = 5_000
HIDE = "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
SHOW = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def page(visit: Visit, database: str) -> Page:
    """The queues, by a clock that the test turns."""
    actors.publish(database, scheduler.publish)
    page = visit(language="en")
    page.clock.install()
    page.goto("/queues")
    return page


def pause(connection: Connection) -> None:
    control.pause(connection, "emails", Decision("vera", "shell", "the provider asks for an hour"))


def requests(page: Page) -> list[str]:
    """What the page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_what_happens_is_seen_without_a_reload(page: Page, connection: Connection) -> None:
    assert page.get_by_text("the provider asks").count() == 0
    pause(connection)
    page.clock.fast_forward(BEAT_MS)
    page.get_by_text("the provider asks").wait_for()


def test_a_page_that_nobody_looks_at_asks_for_nothing_and_catches_up_at_the_first_look(
    page: Page, connection: Connection
) -> None:
    asked = requests(page)
    page.evaluate(HIDE)
    pause(connection)
    page.clock.run_for(10 * BEAT_MS)
    assert asked == []
    page.evaluate(SHOW)
    page.get_by_text("the provider asks").wait_for()


def test_nothing_is_taken_away_under_a_readers_fingers(page: Page, connection: Connection) -> None:
    page.get_by_role("link", name="emails").focus()
    asked = requests(page)
    pause(connection)
    page.clock.run_for(10 * BEAT_MS)
    assert asked == []
    assert page.evaluate("document.activeElement.innerText") == "emails"
    page.evaluate("document.activeElement.blur()")
    page.clock.fast_forward(BEAT_MS)
    page.get_by_text("the provider asks").wait_for()


def test_a_server_that_does_not_answer_is_told_until_it_does(page: Page) -> None:
    stale = page.get_by_text("The server does not answer")
    assert not stale.is_visible()
    page.context.set_offline(True)
    page.clock.fast_forward(BEAT_MS)
    stale.wait_for()
    page.context.set_offline(False)
    page.clock.fast_forward(BEAT_MS)
    stale.wait_for(state="hidden")


def test_an_action_about_many_goes_on_by_itself_when_the_server_was_away(visit: Visit, database: str) -> None:
    actors.publish(database, scheduler.publish)
    broker.enqueue_many(send_email.message(to=f"p{number}@example.com", subject="s") for number in range(9))
    page = visit(language="en")
    page.clock.install()
    page.goto("/messages/all/cancel?queue=emails")
    page.route("**/step", lambda route: route.fulfill(status=503))
    page.get_by_label("Why").fill("sent by mistake")
    page.get_by_role("button", name="Cancel all").click()
    page.clock.run_for(1_000)
    page.get_by_text("The server does not answer").wait_for()
    page.unroute("**/step")
    page.clock.run_for(15_000)
    page.get_by_text("9 of 9.").wait_for()
    assert page.get_by_text("The server does not answer").is_hidden()
