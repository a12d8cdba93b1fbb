"""The guide to the pages names each of them as it calls itself, in both languages, and the buttons that are there."""

import re

import pytest

import settings
from translations import catalogs
from web.app import create_app, navigation
from web.words import DELIVERY_STATES, STATES

QUOTED = [
    *(
        "Everything is on time.",
        "Send again",
        "Open the file",
        "Mail it again",
        "Try all again",
        "Look where it stands",
    ),
    *("Pause", "Resume", "Run now", "Show the words", "Yesterday", "Tomorrow", "Last month"),
    *("Reminder 24 hours before", "Reminder an hour before"),
]
# Buttons that have a row each.
LISTED = [
    *("Ask the provider", "Do what is missing", "Approve as it stands"),
    *("Show what it says", "Try again", "Cancel", "Delete for good"),
]
GUIDES = settings.ROOT / "docs" / "guides"


def places(language: str) -> list[str]:
    with create_app().test_request_context("/", headers={"Accept-Language": language}):
        return [page.name for group in navigation() for page in group.pages]


@pytest.fixture(autouse=True)
def _settings(environment: pytest.MonkeyPatch) -> None:
    """Those of a test."""


def test_every_page_has_its_line_in_english() -> None:
    guide = (GUIDES / "pages.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\w+) \|", guide, re.MULTILINE)[1:] == places("en")


def test_every_page_has_its_part_in_russian() -> None:
    guide = (GUIDES / "pages.ru.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (.+)$", guide, re.MULTILINE) == places("ru")


def test_the_russian_guide_names_buttons_and_states_as_the_pages_do() -> None:
    guide = (GUIDES / "pages.ru.md").read_text(encoding="utf-8")
    words = catalogs()["ru"]
    assert not [each for each in QUOTED if f"«{words.gettext(each)}»" not in guide]
    rows = [STATES[name] for name in DELIVERY_STATES] + LISTED
    assert not [each for each in rows if f"| {words.gettext(each)} |" not in guide]


def test_the_russian_guide_is_written_as_our_russian_is() -> None:
    assert "ё" not in (GUIDES / "pages.ru.md").read_text(encoding="utf-8")
