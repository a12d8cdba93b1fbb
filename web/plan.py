"""What the schedule is going to do: how often each job runs, and what happens to whom, without doing it."""

from collections import Counter
from typing import Any

from flask import Blueprint, render_template, request, url_for

from db import clock, queries
from db.database import transaction
from desk import plan as desk
from desk.periods import AHEAD
from domain.plan import Happening
from web import job_words, periods
from web.happening_words import subject, what
from web.paging import same_page

ROWS = 50
MOST = 10_000  # things of a kind that are looked at

pages = Blueprint("plan", __name__, template_folder="templates")


@pages.get("/plan")
def plan() -> str:
    """Until the end of tomorrow, or `?period=week`, or from and to; a page of what happens, `?page=2`."""
    with transaction() as conn:
        queries.appointments.read_only(conn)
        now = clock.now(conn)
        span = periods.asked(AHEAD, "next", now)
        runs = desk.runs_between(conn, span.start, span.end)
        found, is_cut = desk.first_happenings(conn, now, span.start, span.end, most=MOST)
    page = max(request.args.get("page", 1, type=int), 1)
    first = (page - 1) * ROWS
    return render_template(
        "plan.html",
        span=span,
        choices=periods.choices(AHEAD, span.name),
        shown=periods.shown,
        runs=[_runs(each) for each in runs],
        counts=[{"what": what(name), "count": count} for name, count in Counter(each.what for each in found).items()],
        rows=[_happening(each) for each in found[first : first + ROWS]],
        total=len(found),
        most=MOST if is_cut else None,
        later=same_page(page=str(page + 1)) if len(found) > first + ROWS else None,
    )


def _runs(each: desk.Runs) -> dict[str, Any]:
    return {
        "job": each.job,
        "about": job_words.about(each.job),
        "state": "paused" if each.paused else None,
        "runs": each.runs,
        "first": each.first,
        "last": each.last,
        "address": url_for("jobs.job", name=each.job),
    }


def _happening(each: Happening) -> dict[str, Any]:
    return {"at": each.at, "what": what(each.what), **subject(each.subject)}
