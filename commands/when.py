"""Times as a person gives them: by the clinic's clocks unless they name a zone."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

import click

import settings

SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
CLOCK = re.compile(r"\d{1,2}:\d\d")
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


class Span(When):
    """So long from now: 90m, 1h, 2d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, str) and value[-1:] not in SPANS:
            self.fail(f"{value!r} is no span of time: 90m, 1h and 2d are.")
        return super().convert(f"+{value}" if isinstance(value, str) else value, param, ctx)


class Ahead(When):
    """A time that lies ahead: as `When`, or the next 18:30."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, str) and CLOCK.fullmatch(value):
            return _next(value)
        return super().convert(value, param, ctx)


def _next(clock: str) -> datetime:
    now = datetime.now(settings.current().time_zone)
    try:
        at = datetime.combine(now.date(), time.fromisoformat(clock.zfill(5)), now.tzinfo)
    except ValueError:
        raise click.BadParameter(f"{clock!r} is no time of a day.") from None
    return (at if at > now else at + timedelta(days=1)).astimezone(UTC)


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
