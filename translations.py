"""The languages in which people are spoken to; the English sentence is the key of each."""

from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "web" / "translations"
LANGUAGES = {"ru": "Русский", "en": "English"}


def N_(text: str) -> str:  # noqa: N802 - gettext's name for it
    """Marks a sentence that is translated where it is told."""
    return text


@cache
def catalogs() -> Mapping[str, NullTranslations]:
    """The languages' catalogues, of the .po files as translators write them."""
    return {name: _read(FOLDER / f"{name}.po") for name in LANGUAGES}


def _read(path: Path) -> NullTranslations:
    if not path.exists():  # the keys' own language
        return NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=path.stem))
    compiled.seek(0)
    return GNUTranslations(compiled)
