"""The queues: how deep and how late each is, and a person's hand on it: pause, resume."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

import settings
from db import clock, overview
from db.database import transaction
from desk import control
from errors import Refused
from web import periods, words
from web.access import operator
from web.decisions import decided
from web.language import gettext as _

# How long a queue may be paused at one go, by the value of the form's choice; None: until somebody resumes it.
SPANS = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "4h": timedelta(hours=4), "open": None}

pages = Blueprint("queues", __name__, template_folder="templates")


@pages.get("/queues")
def queues() -> str:
    """All of them, with what waits, how late it is, and which are paused."""
    with transaction() as conn:
        at, rows, pauses = clock.now(conn), overview.queues(conn), {each.queue: each for each in control.pauses(conn)}
    return render_template("queues.html", at=at, rows=rows, headed=words.heads(rows[0]) if rows else {}, pauses=pauses)


@pages.get("/queues/<name>")
def queue(name: str) -> str:
    """One queue, and what an operator may do to it."""
    with transaction() as conn:
        rows = [row for row in overview.queues(conn) if row["queue"] == name]
        pause = next((each for each in control.pauses(conn) if each.queue == name), None)
    if not rows:
        abort(404)
    spans = {span: words.span(span) for span in SPANS}
    return render_template("queue.html", name=name, rows=rows, headed=words.heads(rows[0]), pause=pause, spans=spans)


@pages.post("/queues/<name>/pause")
@operator
def pause(name: str) -> Any:
    """Claim nothing more of it, for as long as was chosen, or until a time by the clinic's clocks."""
    with transaction() as conn:
        control.pause(conn, name, decided(), _end())
    flash(_("Paused: %(name)s. What runs goes on; what comes waits.", name=name))
    return redirect(url_for(".queue", name=name), 303)


@pages.post("/queues/<name>/resume")
@operator
def resume(name: str) -> Any:
    """Let it go on at once."""
    with transaction() as conn:
        control.resume(conn, name, decided())
    flash(_("Goes on: %(name)s.", name=name))
    return redirect(url_for(".queue", name=name), 303)


def _end() -> datetime | None:
    """When it goes on by itself.

    Raises:
        Refused: the form says nothing that it offers, or a time that has passed.
    """
    if at := periods.local_time(request.form.get("until", "")):
        until = at.replace(tzinfo=settings.current().time_zone).astimezone(UTC)
        if until <= datetime.now(UTC):
            raise Refused("That time has passed: choose a later one.")
        return until
    span = request.form.get("span", "")
    if span not in SPANS:
        raise Refused("Choose for how long.")
    length = SPANS[span]
    return datetime.now(UTC) + length if length else None
