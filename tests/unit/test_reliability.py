"""The pages of promises and of threats name tests that exist."""

import re

import settings

NAME = re.compile(r"\btest_[a-z0-9_]+\b(?!\.py)")


def test_every_test_that_a_promise_names_exists() -> None:
    page = (settings.ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    sources = (file.read_text(encoding="utf-8") for file in (settings.ROOT / "tests").rglob("test_*.py"))
    existing = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    named = set(NAME.findall(page))
    assert named
    assert named <= existing


def test_every_file_that_stops_a_threat_exists() -> None:
    page = (settings.ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:unit|integration|faults|browser)/test_\w+\.py)`", page))
    assert named
    assert [name for name in named if not (settings.ROOT / "tests" / name).is_file()] == []
