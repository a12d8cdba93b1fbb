"""The pages in a real browser: our server on a port of its own, Debian's Chromium, and a person who logs in."""

import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import settings
from db.connection import Connection
from tests.browser.chromium import CHROMIUM
from tests.pages import OPERATOR, USERS
from web.app import create_app
from web.server import Server

PATIENCE_MS = 20_000  # on a busy machine


@pytest.fixture(scope="module")  # its event loop runs as long: none of others may meet it
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def site(environment: pytest.MonkeyPatch, connection: Connection) -> Iterator[str]:
    """The address at which our server serves the test's database."""
    del connection  # the database
    environment.setenv("WEB_USERS", USERS)
    settings.current.cache_clear()
    server = Server(create_app(), host="127.0.0.1", port=0, proxies=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.stop()
    thread.join()


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Visit]:
    """Opens a context of its own and logs in: `visit(width=360, dark=True, language="en", login=READER)`."""
    contexts = []

    def open_context(
        width: int = 1440, *, dark: bool = False, language: str = "ru", login: tuple[str, str] = OPERATOR
    ) -> Page:
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            locale=language,
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto("/login")
        page.locator("[name=name]").fill(login[0])
        page.locator("[name=password]").fill(login[1])
        page.locator("main button").click()
        page.wait_for_url(f"{site}/")
        return page

    yield open_context
    for context in contexts:
        context.close()
