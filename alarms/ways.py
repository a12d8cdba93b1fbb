"""The ways by which somebody is told; each works, and fails, without the others."""

from collections.abc import Callable
from urllib.parse import urlsplit

import settings
from gateways import alarm_mail, hooks

# Of each way, how a heading and the lines below it are told.
WAYS: dict[str, Callable[[str, str], None]] = {
    "webhook": lambda heading, lines: hooks.tell(f"{heading}\n\n{lines}"),
    "email": alarm_mail.tell,
}


def tell(way: str, heading: str, lines: str) -> None:
    """Tell somebody, under the name of the installation, and with where its pages are.

    Raises:
        BalansityError: it was not taken, or nobody knows.
    """
    current = settings.current()
    site = urlsplit(current.site_url).hostname
    pages = f"\n\n{current.web_url}/" if current.web_url else ""
    WAYS[way](f"Balansity, {site}: {heading}", lines + pages)
