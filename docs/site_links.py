"""A hook of the site: links that lead out of docs/, into the code, are names there; the code is not on the site."""

import posixpath
import re
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    folder = posixpath.dirname(page.file.src_uri)

    def inward(found: re.Match[str]) -> str:
        leads_out = posixpath.normpath(posixpath.join(folder, found[2])).startswith("..")
        return found[1] if leads_out else found[0]

    return LINK.sub(inward, markdown)
