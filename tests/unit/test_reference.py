"""The reference is what the code says, the site has every page, and its pictures are small and shown."""

import re

import settings
from docs.making_reference import FOLDER, pages

DOCS = settings.ROOT / "docs"


def test_the_reference_is_current() -> None:
    for name, text in pages().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"{name} is older than the code: `make reference`"


def test_every_event_that_is_logged_is_listed() -> None:
    listed = pages()["log-events.md"]
    written = [
        name
        for path in settings.ROOT.glob("*/*.py")
        if path.parent.name in {"actors", "alarms", "db", "mail", "messaging", "web"}
        for name in re.findall(r'events\.\w+\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    ]
    assert len(written) > 30
    assert not [name for name in written if f"`{name}`" not in listed]


def test_the_site_leads_to_every_page() -> None:
    menu = (settings.ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    left_out = [each for page in DOCS.rglob("*.md") if f" {(each := str(page.relative_to(DOCS)))}\n" not in menu]
    assert left_out == []


def test_every_picture_is_small_and_shown() -> None:
    pages_text = "".join(
        page.read_text(encoding="utf-8") for page in [settings.ROOT / "README.md", *DOCS.rglob("*.md")]
    )
    pictures = list((DOCS / "pictures").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 150_000, picture.name
        assert f"pictures/{picture.name})" in pages_text, f"{picture.name} is shown nowhere"
