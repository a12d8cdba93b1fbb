"""People: whoever an address, a surname or an id names, and everything that happened to what is theirs."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for

from db.connection import Connection
from db.database import transaction
from desk import journey
from desk.decision import record
from desk.journey import Reminder, Step, Subject
from web import journey_words as words
from web.access import operator
from web.covered import COVERED, shown
from web.decisions import decided
from web.sums import written
from web.words import mail

PAGES = {
    "mail": "deliveries.delivery",
    "payment": "payments.payment",
    "report": "reports.report",
    "message": "messages.message",
}  # of the things in a journey

pages = Blueprint("people", __name__, template_folder="templates")


@pages.get("/people")
def people() -> str:
    """The form alone: what is searched for stands in no address and no log."""
    return render_template("people.html", searched=False, found=[])


@pages.post("/people")
def search() -> Any:
    """On to the one who is called so; those among whom to choose; or that there is nobody."""
    called = request.form.get("words", "").replace("\0", "")
    with transaction() as conn:
        found = journey.find(conn, called)
        links = [(words.kind(each.kind), _address(each)) for each in found if each.user_id or each.id]
        if found and not links:  # an address that is no user's, and must not stand in a link
            return _told(conn, found[0], bare=False)
    if len(links) == 1:
        return redirect(links[0][1], 303)
    return (render_template("people.html", searched=True, found=links), 200) if links else _nobody()


@pages.get("/people/<kind>/<uuid:id_>")
def person(kind: str, id_: UUID) -> Any:
    """The journey of a user, or of a thing that is nobody's; other things lead to whose they are."""
    with transaction() as conn:
        subject = _subject(conn, kind, id_)
        if subject is None:
            return _nobody()
        if subject.user_id and kind != "user":
            return redirect(_address(subject), 303)
        return _told(conn, subject, bare=False)


@pages.post("/people/<kind>/<uuid:id_>/reveal")
@operator
def reveal(kind: str, id_: UUID) -> Any:
    """The same with what errors, providers and operators said, which may name a person; it is kept who saw it."""
    decision = decided()
    with transaction() as conn:
        subject = _subject(conn, kind, id_)
        if subject is None:
            return _nobody()
        record(conn, decision, "reveal journey", subject.user_id or str(id_))
        return _told(conn, subject, bare=True)


def _subject(conn: Connection, kind: str, id_: UUID) -> Subject | None:
    found = journey.find(conn, str(id_))
    return next((each for each in found if each.kind == kind or each.user_id == str(id_)), None)


def _address(subject: Subject) -> str:
    kind, id_ = ("user", subject.user_id) if subject.user_id else (subject.kind, subject.id)
    return url_for(".person", kind=kind, id_=id_)


def _nobody() -> tuple[str, int]:
    return render_template("people.html", searched=True, found=[]), 404


def _told(conn: Connection, subject: Subject, *, bare: bool) -> str:
    steps = [_step(each, bare=bare) for each in journey.steps(conn, subject)]
    reminders = [_reminder(each, bare=bare) for each in journey.reminders(conn, subject)]
    id_ = subject.user_id or subject.id
    return render_template(
        "person.html",
        kind="user" if subject.user_id else subject.kind,
        kind_words=words.kind("user" if subject.user_id else subject.kind),
        id=id_,
        steps=steps,
        reminders=reminders,
        is_covered=bool(id_) and COVERED in [each["detail"] for each in steps] + [each["why"] for each in reminders],
    )


def _step(step: Step, *, bare: bool) -> dict[str, Any]:
    is_time = step.kind == "consultation" and step.event == "booked" and step.words
    return {
        "at": step.at,
        "what": words.step(step.kind, step.event),
        "words": datetime.fromisoformat(step.words) if is_time and step.words else written(mail(step.words or "")),
        "detail": shown(step.detail, bare=bare),
        "id": step.id if " " in step.id else step.id[:8],
        "address": _page_of(step),
    }


def _page_of(step: Step) -> str | None:
    """Where the thing has a page of its own; what waits in pgmq is no message yet."""
    if step.kind not in PAGES or " " in step.id:
        return None
    return url_for(PAGES[step.kind], id_=step.id)


def _reminder(reminder: Reminder, *, bare: bool) -> dict[str, Any]:
    """Our own reasons are shown; what a provider answered may name a person."""
    is_ours = not reminder.delivery_id
    why = words.reason(reminder.why) if is_ours else reminder.why
    told = {"kind": words.reminder(reminder.kind), "why": shown(why, bare=bare or is_ours)}
    return asdict(reminder) | told | {"appointment_id": reminder.appointment_id[:8]}
