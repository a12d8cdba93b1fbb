"""Pages in Russian and in English, as their reader chooses; the English sentence is the key."""

from gettext import NullTranslations
from typing import Any

from flask import Blueprint, Flask, redirect, request

from translations import LANGUAGES, catalogs

YEAR_SECONDS = 365 * 86_400

pages = Blueprint("language", __name__)


def speak(app: Flask) -> None:
    """Let the templates' `_` and `trans` speak the reader's language."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    install: Any = app.jinja_env  # which has the method by its extension
    install.install_gettext_callables(
        lambda text: _catalog().gettext(text), lambda one, many, n: _catalog().ngettext(one, many, n), newstyle=True
    )
    app.context_processor(lambda: {"language": chosen(), "languages": LANGUAGES})
    app.register_blueprint(pages)


def gettext(text: str, **words: Any) -> str:
    """`text` in the reader's language, with `words` in the places that it names: %(so)s."""
    said = _catalog().gettext(text)
    return said % words if words else said


def chosen() -> str:
    """The reader's language: chosen, or the browser's, or Russian."""
    cookie = request.cookies.get("language")
    return cookie if cookie in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "ru") or "ru"


@pages.post("/language")
def choose() -> Any:
    """Remember a language, and go back to the page."""
    wanted = request.form.get("language")
    response = redirect(inside(request.form.get("page", "/")), 303)
    if wanted in LANGUAGES:
        response.set_cookie("language", wanted, max_age=YEAR_SECONDS, httponly=True, samesite="Lax")
    return response


def inside(target: str) -> str:
    """Where to go back to: a page of ours, and no other site's."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"


def _catalog() -> NullTranslations:
    return catalogs()[chosen()]
