"""A page with the clinic's statistics of a period: tables of its sums, and plots by day."""

from collections.abc import Iterator
from datetime import date, datetime
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, render_template, request, send_file
from markupsafe import Markup

import settings
from db.database import transaction
from db.statistics import Period, Section, choose_period, collect
from desk.statistics import PRESETS, as_csv, highest, preset, sums
from domain.plot import daily_bars
from errors import Refused
from web import periods
from web.language import gettext as _
from web.paging import same_page
from web.words import COLUMNS, GROUPS, HEADINGS

LONGEST_DAYS = 366
PLOTTED = {  # of all groups together
    "checkups": ("started", "completed", "abandoned"),
    "consultations": ("booked", "cancelled", "no_show"),
    "mails": ("planned", "sent", "delivered", "bounced"),
}
PLOTTED_BY_GROUP = {"revenue": ("revenue", "refunds"), "events": ("events",)}

pages = Blueprint("statistics", __name__, template_folder="templates")


@pages.get("/numbers")
def overview() -> Any:
    """The last 30 days, or `?period=month`, or `?from=2026-11-01&to=2026-11-30`; with `csv` in it, as a file."""
    name, period = _period()
    with transaction() as conn:
        sections = collect(conn, period)
    if "csv" in request.args:
        return _file(period, as_csv(sections, by_day=request.args["csv"] == "days"))
    return render_template(
        "statistics.html",
        period=period,
        choices=periods.choices(PRESETS, name),
        files={words: same_page(csv=kind) for kind, words in (("totals", _("totals")), ("days", _("by day")))},
        headings={name: _(heading) for name, heading in HEADINGS.items()},
        sections=sections,
        section_heads=lambda section: {name: _(COLUMNS[name]) for name in section.columns()},
        section_rows=_rows,
        sums=_sums,
        plots={name: list(_plots(name, section, period)) for name, section in sections.items()},
    )


def _file(period: Period, text: str) -> Response:
    """For a spreadsheet, which reads Russian words right by the mark before them."""
    name = f"balansity-{period.first}-{period.last}.csv"
    return send_file(BytesIO(text.encode("utf-8-sig")), "text/csv", as_attachment=True, download_name=name)


def _period() -> tuple[str | None, Period]:
    """Its name, where it was asked for by one, and its days."""
    zone, name = settings.current().time_zone, request.args.get("period")
    if name in PRESETS:
        return name, preset(name, zone, datetime.now(zone))
    try:
        period = choose_period(_day("from"), _day("to"), zone)
    except ValueError:
        raise Refused("Give days such as 2026-11-30.") from None
    if len(period.days) > LONGEST_DAYS:
        raise Refused("Choose %(days)s days at most.", days=LONGEST_DAYS)
    return None, period


def _day(name: str) -> date | None:
    given = request.args.get(name)
    return date.fromisoformat(given) if given else None


def _plots(name: str, section: Section, period: Period) -> Iterator[tuple[str, Markup]]:
    """Caption and plot of each measure that was not zero on every day; all of a section on one scale."""
    measured = [
        (caption, section.by_day(measure, period.days, **words)) for caption, measure, words in _measures(name, section)
    ]
    top = highest([days for _caption, days in measured])
    for caption, days in measured:
        if any(count for _day, count in days):
            yield caption, Markup(daily_bars(caption, days, top))  # noqa: S704 - daily_bars escapes


def _measures(name: str, section: Section) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What is plotted of a section: each time a caption, the measure, and the words of the group that it is of."""
    for measure in PLOTTED.get(name, ()):
        yield _(COLUMNS[measure]), measure, {}
    for row in section.totals():
        words = {column: row[column] for column in section.groups}
        shown = ", ".join(str(_shown(name, word)) for word in words.values())
        for measure in PLOTTED_BY_GROUP.get(name, ()):
            yield f"{_(COLUMNS[measure])}: {shown}", measure, words


def _rows(name: str, section: Section) -> list[dict[str, Any]]:
    return [{column: _shown(name, value) for column, value in row.items()} for row in section.totals()]


def _sums(section: Section) -> list[dict[str, Any]]:
    """The totals of several groups together, one a unit."""
    together = sums(section) if len(section.totals()) > 1 else []
    return [{column: _("In all") if value == "total" else value for column, value in row.items()} for row in together]


def _shown(name: str, value: Any) -> Any:
    """A number of a section, or the reader's word for what it counts."""
    return _(GROUPS[name][value]) if isinstance(value, str) and value in GROUPS.get(name, {}) else value
