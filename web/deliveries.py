"""The ledger of mails: each one's way without whom it went to, and sending it once more."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from db import queries
from db.connection import Connection
from db.database import transaction
from desk import sending
from web.access import operator
from web.decisions import decided
from web.language import gettext as _
from web.paging import MOST_COUNTED, cursor, older_than
from web.words import delivery_states

ROWS = 50

pages = Blueprint("deliveries", __name__, template_folder="templates")


@pages.get("/deliveries")
def deliveries() -> str:
    """Fifty, the last changed first, or those that changed before `?until=`; of all, or of the ones in `?state=`."""
    states = delivery_states()
    state = request.args.get("state") or None
    wanted = [state] if state in states else None
    until, last = cursor(request.args)
    with transaction() as conn:
        found = list(queries.deliveries.latest(conn, states=wanted, since=None, until=until, last=last, count=ROWS))
        total = queries.deliveries.count_latest(conn, states=wanted, since=None, most=MOST_COUNTED)
    older = older_than(found[-1].changed_at, found[-1].id) if len(found) == ROWS else None
    return render_template(
        "deliveries.html", rows=[_listed(row) for row in found], total=total, older=older, states=states, state=state
    )


@pages.get("/deliveries/<uuid:id_>")
def delivery(id_: UUID) -> str:
    """One mail: what was tried, what the provider reported, and the mails that were sent in its place."""
    with transaction() as conn:
        row = _found(conn, id_)
        steps = [
            {"at": row.planned_at, "what": _("planned"), "state": None},
            *(_attempted(each) for each in queries.deliveries.attempts(conn, delivery_id=row.id)),
            *(_reported(each) for each in queries.deliveries.events(conn, delivery_id=row.id)),
        ]
        again = [_again(each) for each in queries.deliveries.sent_again(conn, id=row.id)]
        number = sending.next_number(conn, row.id)
    steps.sort(key=lambda step: step["at"])
    return render_template("delivery.html", delivery=row, steps=steps, again=again, number=number)


@pages.post("/deliveries/<uuid:id_>/again")
@operator
def send_again(id_: UUID) -> Any:
    """Send a new mail in its place; two clicks on one form are one decision."""
    decision = decided()
    with transaction() as conn:
        row = _found(conn, id_)
        sent = sending.again(
            conn, row.id, decision, made_anew="anew" in request.form, number=request.form.get("number", type=int)
        )
    flash(_("A new mail is on its way in the place of this one."))
    return redirect(url_for(".delivery", id_=sent.delivery_id), 303)


def _found(conn: Connection, id_: UUID) -> Any:
    return queries.deliveries.find(conn, id=str(id_)) or abort(404)


def _listed(row: Any) -> dict[str, Any]:
    """Of its row, what names nobody; its id leads to its page."""
    shown = {name: getattr(row, name) for name in ("changed_at", "template", "state", "attempts")}
    return {"id": str(row.id)[:8], **shown, "address": url_for(".delivery", id_=row.id)}


def _again(row: Any) -> dict[str, Any]:
    shown = {"planned_at": row.planned_at, "decided_by": row.decided_by, "state": row.state}
    return {"id": row.id[:8], **shown, "address": url_for(".delivery", id_=row.id)}


def _attempted(attempt: Any) -> dict[str, Any]:
    return {"at": attempt.started_at, "what": _("tried by %(whom)s", whom=attempt.provider), "state": attempt.outcome}


def _reported(event: Any) -> dict[str, Any]:
    return {"at": event.occurred_at, "what": _("the provider reported"), "state": event.kind}
