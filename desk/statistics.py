"""The clinic's figures as a person asks for them: periods by name, totals, one scale, a file for a spreadsheet."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from db.statistics import Number, Period, Section

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which a cell begins that spreadsheets run
UNITS = ("currency",)  # groups whose values cannot be added up

# Periods by name, of the day that it is now.
PRESETS: dict[str, Callable[[date], tuple[date, date]]] = {
    "today": lambda today: (today, today),
    "yesterday": lambda today: (today - timedelta(days=1), today - timedelta(days=1)),
    "week": lambda today: (today - timedelta(days=6), today),  # seven days
    "month": lambda today: (today.replace(day=1), today),
    "last-month": lambda today: (
        (today.replace(day=1) - timedelta(days=1)).replace(day=1),
        today.replace(day=1) - timedelta(days=1),
    ),
}


def preset(name: str, zone: ZoneInfo, now: datetime) -> Period:
    """The period that is called so, by the clinic's clocks."""
    return Period(*PRESETS[name](now.astimezone(zone).date()), zone)


def sums(section: Section) -> list[dict[str, Any]]:
    """The totals of all groups together: one, or one a unit where units differ; none where there is nothing to add."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in section.totals():
        units = {group: row[group] if group in UNITS else "total" for group in section.groups}
        total = found.setdefault(tuple(units.values()), units | dict.fromkeys(section.measures, 0))
        for measure in section.measures:
            total[measure] += row[measure]
    return list(found.values())


def highest(series: Sequence[Sequence[tuple[date, Number]]]) -> Number:
    """The most that any day of several plots has: on one scale they can be compared."""
    return max((count for days in series for _, count in days), default=0)


def as_csv(sections: Mapping[str, Section], *, by_day: bool = False) -> str:
    """One number a line, of the whole period or `by_day`; no spreadsheet runs a word of it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # a word may hold half a line's end
    writer.writerow([*(["day"] if by_day else []), "section", "group", "measure", "value"])
    for name, section in sections.items():
        writer.writerows(_lines(name, section, by_day=by_day))
    return text.getvalue()


def _lines(name: str, section: Section, *, by_day: bool) -> Iterator[list[Any]]:
    rows = [row._asdict() for row in section.rows] if by_day else section.totals()
    for row in rows:
        words = _no_formula(" ".join(row[group] for group in section.groups))
        for measure in section.measures:
            yield [*([row["day"]] if by_day else []), name, words, measure, row[measure]]


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
