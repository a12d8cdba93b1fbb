"""The first page tells in both colour schemes, and at a glance, which provider is away."""

import html
import re
from pathlib import Path
from uuid import uuid4

import pytest

import settings
from db.connection import Connection
from tests.browser.chromium import CHROMIUM, contrast, opened
from web.app import create_app

LOGIN = ("doctor", "hunter2 and more")
WORDS = "The SMTP server answered 535: authentication failed"

# Writes down the colours of what is bad and quiet, and of the paper below them.
HARNESS = """<!DOCTYPE html><meta charset="utf-8"><body><iframe style="width:1200px;height:900px;border:0;
color-scheme:{scheme}" srcdoc="{page}"></iframe><output></output><script>
document.querySelector("iframe").onload = event => {{
  const page = event.target.contentDocument, style = element => event.target.contentWindow.getComputedStyle(element);
  const paper = page.body.appendChild(page.createElement("div"));
  paper.style.background = "Canvas";
  document.querySelector("output").textContent = [page.querySelector("td.bad").textContent,
    style(page.querySelector("td.bad")).color, style(page.querySelector("p.quiet")).color,
    style(paper).backgroundColor].join("|");
}}</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")


@pytest.fixture
def page(environment: pytest.MonkeyPatch, connection: Connection) -> str:
    environment.setenv("WEB_USERNAME", LOGIN[0])
    environment.setenv("WEB_PASSWORD", LOGIN[1])
    settings.current.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("SELECT balansity.provider_failed('smtp', %s, 'vm:4711', NULL)", (WORDS,))
        for _ in range(3):
            cursor.execute("SELECT balansity.ask_for_provider('smtp', %s, NULL)", (str(uuid4()),))
        cursor.execute("SELECT balansity.provider_failed('yookassa', 'down', 'vm:4712', NULL)")
        cursor.execute("SELECT balansity.provider_worked('yookassa', 'vm:4713')")
    return create_app().test_client().get("/", auth=LOGIN).text


def test_it_says_who_is_away_since_when_who_noticed_and_how_many_messages_wait(page: str) -> None:
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    away = next(row for row in rows if row[:1] == ["smtp"])
    assert (away[1], away[3], away[4], away[-1]) == ("away", WORDS, "vm:4711", "3")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", away[2])
    assert next(row for row in rows if row[:1] == ["yookassa"])[1] == "available"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_away_stands_out_and_can_be_read(page: str, scheme: str, tmp_path: Path) -> None:
    file = tmp_path / "harness.html"
    file.write_text(HARNESS.format(page=html.escape(page), scheme=scheme), encoding="utf-8")
    found = re.search(r"<output>(.+?)</output>", opened(file))
    assert found
    said, bad, quiet, paper = found[1].split("|")
    assert said == "away"
    assert bad != quiet
    assert contrast(bad, paper) >= 4.5
    assert contrast(quiet, paper) >= 4.5
