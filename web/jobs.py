"""The schedule: what runs when, what ran in a period, folded, and a person's hand on a job."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from db import clock, overview, queries
from db.connection import Connection
from db.database import transaction
from desk import jobs as desk
from desk.periods import PAST, Span
from errors import Refused
from web import job_words, periods, schedule_words
from web.access import operator
from web.decisions import decided
from web.language import gettext as _
from web.paging import same_page

ROWS = 50
LATEST = 10
NARROWEST = timedelta(microseconds=1)  # between two times of the database

pages = Blueprint("jobs", __name__, template_folder="templates")


@pages.get("/jobs")
def jobs() -> str:
    """All of them; and what ran in a period, `?period=night` or from and to, a line each."""
    with transaction() as conn:
        at, rows = clock.now(conn), overview.jobs(conn)
        span = periods.asked(PAST, "day", at) if periods.is_asked() else None
        story = _story(conn, span, rows) if span else {}
    listed = [_listed(row) for row in rows]
    return render_template("jobs.html", at=at, rows=listed, span=span, **_choices(span), **story)


@pages.get("/jobs/<name>")
def job(name: str) -> str:
    """One job: its schedule, its latest runs, and what ran in a period."""
    with transaction() as conn:
        at, rows = clock.now(conn), overview.jobs(conn)
        row = next((each for each in rows if each["job"] == name), None) or abort(404)
        latest = queries.jobs.history(conn, job=name, skipped=False, limit=LATEST)
        latest = [_run(each, took=_seconds(each.started_at, each.finished_at)) for each in latest]
        span = periods.asked(PAST, "day", at) if periods.is_asked() else None
        story = _story(conn, span, rows, name) if span else {}
    return render_template(
        "job.html",
        at=at,
        job=row,
        about=job_words.about(name),
        schedule=schedule_words.schedule(row["schedule"]),
        latest=latest,
        span=span,
        **_choices(span),
        **story,
    )


@pages.post("/jobs/<name>/<action>")
@operator
def act(name: str, action: str) -> Any:
    """Run it now, pause it, or let it go on; two clicks on one form are one decision."""
    acts = {"run": desk.run, "pause": desk.pause, "resume": desk.resume}
    said = {"run": _("It runs now."), "pause": _("It is paused."), "resume": _("It goes on.")}
    if action not in acts:
        abort(404)
    with transaction() as conn:
        acts[action](conn, name, decided())
    flash(said[action])
    return redirect(url_for(".job", name=name), 303)


def _choices(span: Span | None) -> dict[str, Any]:
    return {"choices": periods.choices(PAST, span.name if span else None), "shown": periods.shown}


def _story(conn: Connection, span: Span, jobs_: Iterable[dict[str, Any]], name: str | None = None) -> dict[str, Any]:
    """What ran in the period: each job's line, and by themselves the runs that failed or took long."""
    known = {row["job"] for row in jobs_}
    end = min(span.end, _before() or span.end)
    runs = desk.remarkable(conn, span.start, end, ROWS, job=name)
    return {
        "folded": [_folded(each, known) for each in desk.folded(conn, span.start, span.end, name)],
        "runs": [_run(each, took=each.took_seconds) for each in runs],
        "total": desk.count_remarkable(conn, span.start, span.end, job=name),
        "older": same_page(before=runs[-1].slot.isoformat()) if len(runs) == ROWS else None,
        "long": desk.LONG.seconds,
    }


def _before() -> datetime | None:
    """Up to which run a page goes: others may have run at the same time."""
    text = request.args.get("before")
    try:
        return datetime.fromisoformat(text).astimezone(UTC) + NARROWEST if text else None
    except (OverflowError, ValueError):
        raise Refused("This page begins nowhere: open the list anew.") from None


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("job", "latest_run", "state")}
    next_run = _("paused") if row["paused"] else next(iter(row["next_runs"]), None)
    return {
        **told,
        "about": job_words.about(row["job"]),
        "schedule": schedule_words.schedule(row["schedule"]),
        "next_run": next_run,
        "outcome": job_words.outcome(row["state"], row["outcome"]),
        "address": url_for(".job", name=row["job"]),
    }


def _folded(each: desk.Folded, known: set[str]) -> dict[str, Any]:
    told = {name: getattr(each, name) for name in ("job", "runs", "failed", "unfinished", "skipped", "last")}
    return told | {
        "longest": _rounded(each.longest_seconds),
        "outcome": job_words.outcome(each.state, each.outcome),
        "address": f"{url_for('.job', name=each.job)}?{periods.arguments()}" if each.job in known else None,
    }


def _run(each: Any, *, took: float | None) -> dict[str, Any]:
    told = {name: getattr(each, name) for name in ("slot", "job", "state", "attempts")}
    return told | {"took": _rounded(took), "outcome": job_words.outcome(each.state, each.outcome)}


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
