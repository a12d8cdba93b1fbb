"""Periods as a person names them, by the clinic's clocks: last night, yesterday, tomorrow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from errors import Refused

EVENING, MORNING = time(20), time(8)  # a night's ends: what runs while nobody is at the clinic
LONGEST = timedelta(days=31)


@dataclass(frozen=True)
class Span:
    """From `start` to before `end`; whoever asked for it by name called it `name`."""

    start: datetime
    end: datetime
    name: str | None = None

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise Refused("The end must be later than the beginning.")
        if self.end - self.start > LONGEST:
            raise Refused("Choose %(days)s days at most.", days=LONGEST.days)


Preset = Callable[[datetime], tuple[datetime, datetime]]  # of the present by the clinic's clocks


def _day(now: datetime, days: int, at: time = time()) -> datetime:
    """A time of a day, so many days from today."""
    return datetime.combine(now.date() + timedelta(days=days), at, now.tzinfo)


PAST: Mapping[str, Preset] = {
    "night": lambda now: (_day(now, -1, EVENING), _day(now, 0, MORNING)),
    "today": lambda now: (_day(now, 0), _day(now, 1)),
    "yesterday": lambda now: (_day(now, -1), _day(now, 0)),
    "day": lambda now: (now - timedelta(days=1), now),
}
AHEAD: Mapping[str, Preset] = {
    "next": lambda now: (now, _day(now, 2)),
    "today": lambda now: (now, _day(now, 1)),
    "tomorrow": lambda now: (_day(now, 1), _day(now, 2)),
    "week": lambda now: (now, _day(now, 7)),
}


def named(presets: Mapping[str, Preset], name: str, now: datetime, zone: ZoneInfo) -> Span:
    """The span that is called so."""
    return Span(*presets[name](now.astimezone(zone)), name)


def given(start: datetime, end: datetime | None, default: timedelta, zone: ZoneInfo) -> Span:
    """What the clinic's clocks show at its ends; the end is `default` later where none is given."""
    began = start.replace(tzinfo=zone)
    return Span(began, end.replace(tzinfo=zone) if end else began + default)
