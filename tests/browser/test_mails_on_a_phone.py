"""Every mail fits a phone and follows the reader's colours, in a real browser."""

import html
import re
from pathlib import Path

import pytest

from mail import rendering
from mail.samples import SAMPLES
from mail.template import TEMPLATES
from tests.browser.chromium import CHROMIUM, contrast, opened

PHONE_WIDTH = 360  # pixels, of a small phone
LONG = "Константин-Александр Преображенский-Воскресенский-Рождественский"

# Frames the mail at a phone's width and writes down its full width and the colours of page and text.
HARNESS = """<!DOCTYPE html><meta charset="utf-8"><body><iframe style="width:{width}px;height:900px;border:0;
color-scheme:{scheme}" srcdoc="{mail}"></iframe><output></output><script>
document.querySelector("iframe").onload = event => {{
  const mail = event.target.contentDocument, colour = (selector, property) =>
    event.target.contentWindow.getComputedStyle(mail.querySelector(selector))[property];
  document.querySelector("output").textContent = [mail.documentElement.scrollWidth,
    colour(".card", "backgroundColor"), colour("p", "color")].join("|");
}}</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")


def look(folder: Path, mail: str, scheme: str) -> tuple[int, str, str]:
    page = folder / "harness.html"
    page.write_text(HARNESS.format(width=PHONE_WIDTH, scheme=scheme, mail=html.escape(mail)), encoding="utf-8")
    dom = opened(page)
    found = re.search(r"<output>(\d+)\|(.+?)\|(.+?)</output>", dom)
    assert found, dom[-500:]
    return int(found[1]), found[2], found[3]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_mail_fits_a_phone_even_with_long_names(name: str, tmp_path: Path) -> None:
    words = SAMPLES[name] | {"reader": LONG, "patient": LONG}
    mail, _ = rendering.render(name, TEMPLATES[name].subject, words)
    width, _, _ = look(tmp_path, mail, "light")
    assert width == PHONE_WIDTH


@pytest.mark.parametrize(("scheme", "card"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(28, 39, 36)")])
def test_a_mail_follows_the_readers_colours_and_stays_readable(scheme: str, card: str, tmp_path: Path) -> None:
    _, background, text = look(tmp_path, rendering.sample("report_ready")[0], scheme)
    assert background == card
    assert contrast(background, text) >= 7
