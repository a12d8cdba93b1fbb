"""What pages load besides our own style sheet: htmx, out of the package that brings it."""

from importlib.metadata import version
from importlib.resources import as_file, files
from typing import Any

from flask import Blueprint, send_file

YEAR_SECONDS = 365 * 86_400
HTMX_VERSION = version("django-js-lib-htmx")
HTMX = files("js_lib_htmx") / "static" / "htmx" / "htmx.min.js"

pages = Blueprint("assets", __name__)


@pages.get("/htmx.min.js")
def htmx() -> Any:
    """The library; it changes with its version only, which is in its address."""
    with as_file(HTMX) as path:
        return send_file(path, mimetype="text/javascript", max_age=YEAR_SECONDS)
