"""The clinic's statistics of a period, by day: what was begun on it, and what has become of that by now."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from db import queries
from db.connection import Connection
from domain.payload import YEARS
from errors import Refused

Number = int | Decimal


MAIL_OUTCOMES = (
    *("waiting", "sent", "delivered", "bounced", "complained", "dropped", "unknown", "failed", "superseded"),
    "suppressed",
)
COLUMNS = {  # what each section counts by, and what it counts
    "checkups": (("type",), ("started", "completed", "abandoned", "in_progress")),
    "consultations": (("type",), ("booked", "completed", "cancelled", "no_show", "open")),
    "revenue": (("type", "currency"), ("payments", "revenue", "refunds", "kept")),
    "mails": (("template",), ("planned", *MAIL_OUTCOMES)),
    "events": (("type",), ("events",)),
}


@dataclass(frozen=True)
class Period:
    """Whole days of the clinic, the first and the last included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), self.zone)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), self.zone)

    @property
    def midnights(self) -> list[datetime]:
        """When each of its days begins."""
        return [datetime.combine(day, time(), self.zone) for day in self.days]

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class Section:
    """Numbers of one kind; each row has a `day`, the words of its groups, and the values of its measures."""

    groups: tuple[str, ...]
    measures: tuple[str, ...]
    rows: Sequence[Any]

    def totals(self) -> list[dict[str, Any]]:
        """Each group's sums over the days."""
        sums: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in self.rows:
            words = {group: getattr(row, group) for group in self.groups}
            total = sums.setdefault(tuple(words.values()), words | dict.fromkeys(self.measures, 0))
            for measure in self.measures:
                total[measure] += getattr(row, measure)
        return list(sums.values())

    def columns(self) -> list[str]:
        """What is worth a column: the groups, and the measures that are not zero for all of them."""
        totals = self.totals()
        return [*self.groups, *(each for each in self.measures if any(row[each] for row in totals))]

    def by_day(self, measure: str, days: Sequence[date], **words: str) -> list[tuple[date, Number]]:
        """One measure for each of these days, of all groups or of the one with these words."""
        counts: dict[date, Number] = defaultdict(int)
        for row in self.rows:
            if all(getattr(row, group) == word for group, word in words.items()):
                counts[row.day] += getattr(row, measure)
        return [(day, counts[day]) for day in days]


def choose_period(first: date | None, last: date | None, zone: ZoneInfo) -> Period:
    """The days that somebody asks for: up to today unless they say otherwise, and 30 of them.

    Raises:
        Refused: the days are in the wrong order, or out of this world.
    """
    last = last or datetime.now(zone).date()
    for day in (first or last, last):
        if day.year not in YEARS:
            raise Refused(
                "%(day)s cannot be counted: choose days from %(first)s-01-01 to %(last)s-12-31.",
                day=day,
                first=YEARS[0],
                last=YEARS[-1],
            )
    first = first or last - timedelta(days=29)
    if first > last:
        raise Refused("The first day %(first)s is later than the last day %(last)s: swap them.", first=first, last=last)
    return Period(first, last, zone)


def collect(conn: Connection, period: Period) -> dict[str, Section]:
    """Every section of COLUMNS."""
    moments = {"start": period.start, "end": period.end, "first": period.first, "midnights": period.midnights}
    rows = {
        "checkups": queries.statistics.checkups(conn, **moments),
        "consultations": queries.statistics.consultations(conn, **moments),
        "revenue": queries.statistics.revenue(conn, **moments),
        "mails": queries.statistics.mails(conn, **moments),
        "events": queries.statistics.events(conn, first=period.first, last=period.last),
    }
    return {name: Section(*COLUMNS[name], list(found)) for name, found in rows.items()}
