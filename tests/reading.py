"""A mail's text as people read it, whatever keeps its lines from ending."""

from html import unescape

NO_BREAK = "\N{NO-BREAK SPACE}"


def plain(content: str) -> str:
    """Text or HTML with the spaces and hyphens of a keyboard."""
    return unescape(content).replace(NO_BREAK, " ").replace("\N{NON-BREAKING HYPHEN}", "-")
