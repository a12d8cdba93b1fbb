"""Every template renders, in HTML and in plain text, with all of its words and with hardly any."""

import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import settings
from gateways.mail.envelope import Attachment
from mail import rendering
from mail.headings import HEADINGS, UNPAID, UNPRICED, heading
from mail.samples import SAMPLES
from mail.template import TEMPLATES
from mail.writers import WRITERS
from tests.reading import NO_BREAK, plain

FILES = (Attachment("consultation.ics", "text/calendar; method=REQUEST", b""),)
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
    assert SAMPLES.keys() == TEMPLATES.keys() == WRITERS.keys() == HEADINGS.keys()
    for kind in (".html", ".txt"):
        assert {Path(f"{name}{kind}") for name in TEMPLATES} <= {path.relative_to(folder) for path in folder.iterdir()}


def test_html_and_text_greet_by_name_and_end_with_why(name: str) -> None:
    for content in map(plain, rendered(name, SAMPLES[name], FILES)):
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
        assert f"среда, 25{NO_BREAK}ноября в{NO_BREAK}10:35 (МСК)" in content
        assert f"5{NO_BREAK}000{NO_BREAK}₽" in content
        assert f"24{NO_BREAK}ноября 2026{NO_BREAK}года" in content


def test_an_unpaid_booking_is_not_called_confirmed() -> None:
    words = SAMPLES["appointment_confirmation"] | {"unpaid": True, "price": Decimal(5000)}
    for content in map(plain, rendered("appointment_confirmation", words)):
        assert "подтверждена" not in content
        assert "Осталось оплатить" in content
        assert re.search(r"К оплате\W.*5 000 ₽", content)
        assert re.search(r"Оплатите до\W.*25 ноября в 10:35 \(МСК\)", content)
        assert not re.search(r"(отмен|аннулир|освобо|сним)\w*(тся|ем|им|ена|ено)\b", content)  # nothing does that


@pytest.mark.parametrize(
    ("name", "changes", "subject"),
    [
        ("appointment_reminder_24h", {}, "Напоминание о консультации: 25 ноября в 10:35 (МСК)"),
        ("appointment_reminder_1h", {}, "Напоминание о консультации: 25 ноября в 10:35 (МСК)"),
        (
            "appointment_reminder_1h",
            {"zone": ZoneInfo("Asia/Omsk")},
            "Напоминание о консультации: 25 ноября в 13:35 (МСК+3)",
        ),
        ("appointment_moved", {}, "Консультация перенесена на 25 ноября в 10:35 (МСК)"),
        ("appointment_confirmation", {}, "Подтверждение записи на консультацию"),
        (
            "appointment_confirmation",
            {"unpaid": True, "price": Decimal(5000)},
            "Оплатите консультацию до 25 ноября в 10:35 (МСК): 5 000 ₽",
        ),
        ("appointment_confirmation", {"unpaid": True}, "Оплатите консультацию до 25 ноября в 10:35 (МСК)"),
    ],
)
def test_a_subject_says_what_a_reader_needs_of_it(name: str, changes: dict[str, Any], subject: str) -> None:
    assert plain(heading(name, SAMPLES[name] | changes, ZoneInfo("Europe/Moscow")).subject) == subject


def test_nothing_that_we_write_has_the_letter_which_no_subject_from_outside_has() -> None:
    texts = [path.read_text() for path in (settings.ROOT / "mail" / "templates").iterdir()]
    assert len(texts) > 2 * len(TEMPLATES)
    assert not [text for text in [*texts, str(HEADINGS), str(UNPAID), str(UNPRICED)] if "ё" in text.lower()]


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clinic with a telephone and a mailbox."""
    monkeypatch.setenv("CLINIC_PHONE", "+7 (495) 123-45-67")
    monkeypatch.setenv("EMAIL_REPLY_TO", "Клиника <help@balansity.example>")
    settings.current.cache_clear()
    yield
    settings.current.cache_clear()


@pytest.mark.usefixtures("reachable")
def test_every_mail_says_whom_to_call_and_where_to_write(name: str) -> None:
    html, text = rendered(name, SAMPLES[name])
    assert 'href="tel:+74951234567"' in html
    assert 'href="mailto:help@balansity.example"' in html
    assert "Вопросы: +7 (495) 123-45-67, help@balansity.example" in plain(text)


@pytest.mark.usefixtures("reachable")
def test_who_cannot_pay_is_told_to_call() -> None:
    for content in map(plain, rendered("payment_failed", SAMPLES["payment_failed"])):
        assert re.search(r"позвоните нам \(.*123.45.67.*\) или ответьте на это письмо\.", content)


def test_a_button_leads_to_its_own_page_of_the_site() -> None:
    page = "https://balansity.example/payments/7"
    html, text = rendered("payment_failed", SAMPLES["payment_failed"] | {"page": page})
    assert f'<a href="{page}"' in html
    assert f"Попробовать еще раз: {page}" in plain(text)


@pytest.fixture
def booking_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the site has consultations booked."""
    monkeypatch.setenv("SITE_BOOKING_URL", page := "https://balansity.example/booking")
    settings.current.cache_clear()
    yield page
    settings.current.cache_clear()


@pytest.mark.parametrize("name", ["report_ready", "appointment_cancelled"])
def test_what_comes_next_is_booked_where_the_site_says(name: str, booking_page: str) -> None:
    html, text = rendered(name, SAMPLES[name])
    assert f'<a href="{booking_page}"' in html
    assert f": {booking_page}" in plain(text)
