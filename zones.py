"""Time zones: every name from outside (a setting, a row) is read here, and what their clocks show is written."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
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


class Night(NamedTuple):
    """The hours from `begins` to `ends`, most often past midnight, by the clocks of whatever zone is asked about."""

    begins: time
    ends: time

    def end(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When the night ends that it is in `zone` at that moment; None: it is day there."""
        local = at.astimezone(zone)
        clock = local.time()
        late, early = clock >= self.begins, clock < self.ends
        if not (late or early if self.begins > self.ends else late and early):
            return None
        # By the wall's clock, in the same pass of an hour that comes twice.
        end = datetime.combine(local.date() + timedelta(days=not early), self.ends, zone).replace(fold=local.fold)
        return end.astimezone(UTC)


def night(hours: str) -> Night | None:
    """The night that is written as 22:00-08:00; empty: there is none.

    Raises:
        ValueError: it is written otherwise.
    """
    if not hours:
        return None
    parts = re.fullmatch(r"(\d\d:\d\d)\s*-\s*(\d\d:\d\d)", hours)
    try:
        begins, ends = map(time.fromisoformat, parts.groups() if parts else ())
    except ValueError:  # too few, or no time of a day
        begins = ends = time()
    if begins == ends:
        raise ValueError("must be two different times such as 22:00-08:00; empty: mail may leave at any hour")
    return Night(begins, ends)
