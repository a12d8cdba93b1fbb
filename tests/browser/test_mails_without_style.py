"""A mail whose <style> its reader's mail program has dropped, as many do, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from mail import rendering
from mail.samples import SAMPLES
from mail.template import TEMPLATES
from tests.browser.chromium import contrast

LONG = "Константин-Александр Преображенский-Воскресенский-Рождественский"
BESIDE = 26  # pixels, at least, beside a button's words

LOOK = """it => {
  const {color, backgroundColor, padding} = getComputedStyle(it)
  return {colour: color, ground: backgroundColor, padding}
}"""

BUTTON = """link => {
  const seen = getComputedStyle(link), box = link.getBoundingClientRect(), words = document.createRange()
  words.selectNodeContents(link)
  return {colour: seen.color, ground: getComputedStyle(link.parentElement).backgroundColor,
    underline: seen.textDecorationLine, beside: words.getBoundingClientRect().left - box.left}
}"""


@pytest.fixture(params=[360, 640])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    yield page
    page.close()


def without_style(name: str) -> str:
    words = SAMPLES[name] | {"reader": LONG, "patient": LONG}
    html, _ = rendering.render(name, TEMPLATES[name].subject, words)
    bare, styles = re.subn(r"<style.*?</style>", "", html, flags=re.DOTALL)
    assert styles == 1
    return bare


def look(page: Page, selector: str) -> dict[str, str]:
    seen: dict[str, str] = page.locator(selector).evaluate(LOOK)
    return seen


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_mail_reads_well_without_its_style(page: Page, name: str) -> None:
    page.set_content(without_style(name))
    assert page.evaluate("document.documentElement.scrollWidth") == page.evaluate("innerWidth")
    assert not page.locator(".preview").is_visible()
    card, title = look(page, ".card"), look(page, "h1")
    assert (card["ground"], card["padding"]) == ("rgb(255, 255, 255)", "32px 36px 16px")
    assert contrast(card["ground"], title["colour"]) >= 7
    for link in page.locator(".button a").all():
        button = link.evaluate(BUTTON)
        assert contrast(button["ground"], button["colour"]) >= 4.5
        assert button["underline"] == "none"
        assert button["beside"] >= BESIDE


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_rule_outside_of_media_stands_in_the_elements(name: str) -> None:
    html, _ = rendering.sample(name)
    (style,) = re.findall(r"<style[^>]*>(.*?)</style>", html, flags=re.DOTALL)
    assert not re.sub(r"@media[^{]*\{(?:[^{}]*\{[^}]*\})*\s*\}", "", style).strip()
    assert "mso-hide: all" in html
