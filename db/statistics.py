"""The clinic's numbers for a period: what was begun in it, and what has become of that by now."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from db import queries

statistics = queries.load("statistics")

COLUMNS = {
    "checkups": ("type", "started", "completed", "abandoned", "in_progress"),
    "consultations": ("type", "booked", "completed", "cancelled", "no_show", "open"),
    "revenue": ("type", "currency", "payments", "revenue", "refunds", "kept"),
    "mails": ("template", "planned", "sent", "delivered", "bounced", "failed"),
    "events": ("type", "events"),
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


def collect(conn: Connection, period: Period) -> dict[str, list[dict[str, Any]]]:
    """Every section of COLUMNS, each row by its columns' names."""
    rows = {
        "checkups": statistics.checkups(conn, start=period.start, end=period.end),
        "consultations": statistics.consultations(conn, start=period.start, end=period.end),
        "revenue": statistics.revenue(conn, start=period.start, end=period.end),
        "mails": statistics.mails(conn, start=period.start, end=period.end),
        "events": statistics.events(conn, first=period.first, last=period.last),
    }
    return {name: [dict(zip(COLUMNS[name], row, strict=True)) for row in found] for name, found in rows.items()}


def events_by_day(conn: Connection, period: Period, event_type: str | None = None) -> list[tuple[date, int]]:
    """How many events of a type, or of all, each day of the period had."""
    return list(statistics.events_by_day(conn, first=period.first, last=period.last, type=event_type))
