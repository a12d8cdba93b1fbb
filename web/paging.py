"""Lists in pages: the address of the older rows, and how many there are without counting a million."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from flask import request

from errors import Refused

MOST_COUNTED = 10_001  # rows; to count more takes longer than anybody wants to wait


def cursor(given: Mapping[str, str]) -> tuple[datetime | None, str | None]:
    """The row behind which a page begins, as `older_than` named it: its moment and id; of the first page, none.

    Raises:
        Refused: it is no moment, or no id.
    """
    until, last = given.get("until"), given.get("last")
    if not until or not last:
        return None, None
    try:
        return datetime.fromisoformat(until).astimezone(UTC), str(UUID(last))
    except (OverflowError, ValueError):
        raise Refused("This page begins nowhere: open the list anew.") from None


def older_than(moment: datetime, id_: str) -> str:
    """The address of the page that begins behind this row, with the same filter."""
    return same_page(until=moment.isoformat(), last=id_)


def same_page(**changed: str) -> str:
    """The address of this page with other arguments in some places."""
    return f"{request.path}?{urlencode({**request.args, **changed})}"
