"""Ids as people give them: their first letters do, wherever these name one."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from errors import BalansityError

NAMED = 5  # of those that begin alike
DIGITS = re.compile(r"[0-9a-f]{1,32}")


def find_id(given: str, what: str, listing: str, *between: Callable[..., Iterable[Any]]) -> str:
    """The one id of a `what` that begins as a person gave it; `between` finds those from a first to a last one.

    Raises:
        BalansityError: there is none, or there are several; `listing` is the command that shows them.
    """
    first, last = ends(given)
    if first is None:
        raise BalansityError(f"{given!r} is no id of a {what}, nor its beginning: one looks like 3f2b6c1e-….")
    found = [row[0] for find in between for row in find(first=first, last=last, count=NAMED + 1)]
    return the_one(given, found, what, listing)


def ends(given: str) -> tuple[str, str] | tuple[None, None]:
    """The first and the last id that begin as a person gave it; none where no id can."""
    digits = given.strip().lower().replace("-", "")
    if not DIGITS.fullmatch(digits):
        return None, None
    return str(UUID(digits.ljust(32, "0"))), str(UUID(digits.ljust(32, "f")))


def the_one(given: str, found: list[str], what: str, listing: str) -> str:
    """Of what begins as given, the only one, or the one that is called exactly so.

    Raises:
        BalansityError: as `find_id`.
    """
    if not found:
        raise BalansityError(f"There is no {what} {given!r}: `{listing}` shows what there is.")
    if given in found:
        return given
    if len(found) > 1:
        named = ", ".join(found[:NAMED]) + (" and more" if len(found) > NAMED else "")
        raise BalansityError(f"{given!r} begins more than one {what}: {named}. Give more of it.")
    return found[0]
