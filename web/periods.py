"""The period that a page is asked for: by a name, or from and to by the clinic's clocks."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import request

import settings
from desk.periods import Preset, Span, given, named
from domain.payload import YEARS
from errors import Refused
from web.language import gettext
from web.words import N_

WORDS = {
    "night": N_("Last night"),
    "today": N_("Today"),
    "yesterday": N_("Yesterday"),
    "day": N_("The last 24 hours"),
    "next": N_("Until the end of tomorrow"),
    "tomorrow": N_("Tomorrow"),
    "week": N_("Seven days"),
    "month": N_("This month"),
    "last-month": N_("Last month"),
}
DAY = timedelta(days=1)
ARGUMENTS = ("from", "to", "period")


class Choice(NamedTuple):
    """A period that can be chosen by its name."""

    words: str
    address: str
    is_current: bool


def local_time(text: str) -> datetime | None:
    """A time as a form's field gives it, by the clinic's clocks; None where it is empty.

    Raises:
        Refused: it is no time.
    """
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=None) if text else None
    except ValueError:
        at = None
    if text and (at is None or at.year not in YEARS):
        raise Refused("%(given)s is no time such as 2026-11-25T20:00.", given=repr(text))
    return at


def asked(presets: Mapping[str, Preset], default: str, now: datetime) -> Span:
    """What stands in the page's address, or the default.

    Raises:
        Refused: it cannot be read, or is no period.
    """
    zone = settings.current().time_zone
    start, end = (local_time(request.args.get(name, "")) for name in ("from", "to"))
    if start is None and end is not None:
        start = end - DAY
    if start is not None:
        return given(start, end, DAY, zone)
    name = request.args.get("period", default)
    return named(presets, name if name in presets else default, now, zone)


def is_asked() -> bool:
    """Whether a period stands in the page's address."""
    return any(request.args.get(name) for name in ARGUMENTS)


def arguments() -> str:
    """The period that stands in the page's address, for another page's."""
    return urlencode({name: given for name in ARGUMENTS if (given := request.args.get(name))})


def choices(presets: Mapping[str, Any], chosen: str | None) -> list[Choice]:
    """The periods that have names, each with its address."""
    return [
        Choice(gettext(WORDS[name]), f"{request.path}?{urlencode({'period': name})}", name == chosen)
        for name in presets
    ]


def shown(at: datetime) -> str:
    """A time as a form's field shows it."""
    return f"{at.astimezone(settings.current().time_zone):%Y-%m-%dT%H:%M}"
