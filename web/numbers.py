"""A page with the clinic's numbers of a period: tables, and a plot of each kind of event by day."""

from datetime import date, datetime, timedelta

from flask import Blueprint, abort, render_template, request
from markupsafe import Markup

import settings
from db.connection import transaction
from db.statistics import COLUMNS, Period, collect, events_by_day
from domain.plot import daily_bars

LONGEST_DAYS = 366

pages = Blueprint("numbers", __name__, template_folder="templates")


@pages.get("/numbers")
def overview() -> str:
    """The last 30 days, or `?from=2026-11-01&to=2026-11-30`."""
    period = _period()
    with transaction() as conn:
        sections = collect(conn, period)
        days = {row["type"]: events_by_day(conn, period, row["type"]) for row in sections["events"]}
    plots = {name: Markup(daily_bars(name, counts)) for name, counts in days.items()}  # noqa: S704 - daily_bars escapes
    return render_template("numbers.html", period=period, columns=COLUMNS, sections=sections, plots=plots)


def _period() -> Period:
    zone = settings.current().time_zone
    try:
        last = date.fromisoformat(request.args.get("to") or str(datetime.now(zone).date()))
        first = date.fromisoformat(request.args.get("from") or str(last - timedelta(days=29)))
    except ValueError:
        abort(400, "from and to are days such as 2026-11-30")
    if not timedelta() <= last - first < timedelta(days=LONGEST_DAYS):
        abort(400, f"from must not be later than to, nor more than {LONGEST_DAYS} days before it")
    return Period(first, last, zone)
