"""Addresses from outside, as they may be links in a mail that bears the clinic's name."""

import re
from collections.abc import Iterable

LONGEST = 2_000  # characters

# All else that browsers read in ways of their own is no link: userinfo, backslashes, ports, spaces, other alphabets.
ADDRESS = re.compile(
    r"https://(?P<host>(?:[a-z0-9-]+\.)*[a-z0-9-]+)(?::443)?(?:[/?#][!#-;=?-\[\]_a-z~]*)?", re.ASCII | re.IGNORECASE
)


def web_link(value: str | None, hosts: Iterable[str]) -> str | None:
    """The https address, if it leads to one of these hosts or to a subdomain of one; hosts are in lower case."""
    address = (value or "").strip()
    parts = ADDRESS.fullmatch(address) if len(address) <= LONGEST else None
    host = parts["host"].lower() if parts else ""
    return address if any(f".{host}".endswith(f".{known}") for known in hosts) else None
