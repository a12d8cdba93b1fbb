"""Every template renders, in HTML and in plain text, with all of its words and with hardly any."""

from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import settings
from gateways.mail.envelope import Attachment
from mail import rendering
from mail.samples import SAMPLES
from mail.template import TEMPLATES
from mail.writers import WRITERS

FILES = (Attachment("consultation.ics", "text/calendar; method=PUBLISH", b""),)
ESSENTIAL = {"scheduled_at", "amount", "currency", "unpaid"}


@pytest.fixture(params=sorted(TEMPLATES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rendered(name: str, words: dict[str, Any], files: tuple[Attachment, ...] = ()) -> tuple[str, str]:
    return rendering.render(name, TEMPLATES[name].subject, words, files)


class Elements(HTMLParser):
    """The names of all elements of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.names.add(tag)


def test_every_template_has_samples_a_writer_and_both_texts() -> None:
    folder = settings.ROOT / "mail" / "templates"
    assert SAMPLES.keys() == TEMPLATES.keys() == WRITERS.keys()
    for kind in (".html", ".txt"):
        assert {Path(f"{name}{kind}") for name in TEMPLATES} <= {path.relative_to(folder) for path in folder.iterdir()}


def test_html_and_text_greet_by_name_and_end_with_why(name: str) -> None:
    for content in rendered(name, SAMPLES[name], FILES):
        assert "Здравствуйте, Анна!" in content
        assert "Вы получили это письмо, потому что" in content


def test_a_mail_without_its_courtesies_still_reads_well(name: str) -> None:
    bare = {word: value if word in ESSENTIAL else None for word, value in SAMPLES[name].items()}
    for content in rendered(name, bare):
        assert "Здравствуйте!" in content
        assert "None" not in content


def test_words_from_outside_cannot_become_html(name: str) -> None:
    evil = {
        word: "<script>alert(1)</script>" if isinstance(value, str) else value for word, value in SAMPLES[name].items()
    }
    html, _ = rendering.render(name, "<b>Тема</b>", evil)
    assert not {"script", "b"} & Elements(html).names
    assert "&lt;script&gt;" in html


def test_plain_text_has_no_markup_and_no_gaps(name: str) -> None:
    _, text = rendered(name, SAMPLES[name], FILES)
    assert "<" not in text
    assert "&" not in text
    assert "\n\n\n" not in text


def test_times_and_money_are_told_as_people_write_them() -> None:
    html, text = rendered("payment_confirmation", SAMPLES["payment_confirmation"])
    for content in (unescape(html), text):
        assert "среда, 25 ноября в 10:35 (МСК)" in content
        assert "5\N{NO-BREAK SPACE}000\N{NO-BREAK SPACE}₽" in content


def test_an_unpaid_booking_is_not_called_confirmed() -> None:
    html, text = rendered("appointment_confirmation", SAMPLES["appointment_confirmation"] | {"unpaid": True})
    for content in (html, text):
        assert "подтверждена" not in content
        assert "Осталось оплатить" in content
