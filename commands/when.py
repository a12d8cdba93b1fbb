"""Times as a person gives them: by the clinic's clocks unless they name a zone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

import settings

SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


class When(click.ParamType[datetime]):
    """2h (ago), +2h (from now), a day, or a time, with its zone or by the clinic's clocks."""

    name = "when"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return _read(value)
        except (OverflowError, ValueError):
            self.fail(f"{value!r} is no time: 90m, 2h, 3d (ago), +2h, yesterday, 2026-11-25 or '2026-11-25 20:00' are.")


def _read(value: str) -> datetime:
    zone = settings.current().time_zone
    if value in DAYS:
        day = datetime.now(zone).date() + timedelta(days=DAYS[value])
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    if value[-1:] in SPANS:
        span = float(value[:-1].removeprefix("+")) * SPANS[value[-1]]
        return datetime.now(UTC) + (span if value.startswith("+") else -span)
    at = datetime.fromisoformat(value)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
