"""Time zones: every name from outside (a setting, a row) is read here, and what their clocks show is written."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_named(name: str) -> ZoneInfo:
    """The zone of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # OSError: a folder's name such as Europe, or one too long
        raise ValueError("must be an IANA time zone such as Europe/Moscow") from None


def zone_or(name: str | None, default: ZoneInfo) -> ZoneInfo:
    """The zone of that name, and `default` where there is none."""
    try:
        return zone_named(name) if name else default
    except ValueError:
        return default


def clock_time(at: datetime, zone: ZoneInfo) -> str:
    """A time by the clocks of a zone, for example `2026-11-25 10:35:00`."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
