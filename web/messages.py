"""Messages: found by where they are and how they failed; each on a page of its own, where an operator acts on it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from db import clock, queries
from db.connection import Connection
from db.database import transaction
from desk import bulk, control, editing, messages, revealing
from desk.wanted import Wanted
from errors import Refused
from messaging.vault import class_of
from web.access import operator
from web.decisions import decided
from web.language import gettext as _
from web.paging import MOST_COUNTED, cursor, older_than
from web.words import message_state, span

ROWS = 50
SPANS = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
NAMES = ("queue", "state", "actor", "failure", "about")  # of the form's fields

pages = Blueprint("messages", __name__, template_folder="templates")


@pages.get("/messages")
def found() -> str:
    """Fifty of those that the form's filter finds, the last changed first."""
    until, last = cursor(request.args)
    with transaction() as conn:
        wanted = said(conn)
        which = wanted.filter(conn)
        page = messages.look(conn, which, ROWS, MOST_COUNTED, (until, last) if until and last else None)
        known = queries.messages.known_queues(conn)
    return render_template(
        "messages.html",
        wanted=wanted,
        span=request.args.get("since"),
        actions=[action for action, states in bulk.STATES.items() if not wanted.state or wanted.state in states],
        rows=[listed(row) for row in page.rows],
        total=page.total,
        horizon=page.horizon,
        older=older_than(*page.behind) if page.behind else None,
        queues={row.queue: row.queue for row in known},
        states={name: message_state(name) for name in messages.STATES},
        spans={name: span(name) for name in SPANS},
    )


def said(conn: Connection) -> Wanted:
    """The filter that the address, or a form, says.

    Raises:
        Refused: there is no such span of time.
    """
    given = {name: request.values.get(name, "").strip() for name in NAMES}
    span = request.values.get("since", "")
    if span and span not in SPANS:
        raise Refused("There is no such filter: choose one of the form's.")
    return Wanted(**given, since=(clock.now(conn) - SPANS[span]).isoformat() if span else "")


@pages.get("/messages/<uuid:id_>")
def message(id_: UUID) -> str:
    """One message without what it says."""
    with transaction() as conn:
        return _page(conn, str(id_))


@pages.post("/messages/<uuid:id_>/reveal")
@operator
def reveal(id_: UUID) -> str:
    """The same with what it says, and with its error's words; it is kept who saw it."""
    with transaction() as conn:
        said = revealing.message(conn, str(id_), decided())
        return _page(conn, str(id_), said)


@pages.post("/messages/<uuid:id_>/edit")
@operator
def edit(id_: UUID) -> Any:
    """Send it back to work with other arguments."""
    with transaction() as conn:
        editing.edit(conn, str(id_), _arguments(request.form.get("arguments", "")), decided())
    flash(_("Sent back to work with these arguments; what it was is kept as a cancelled message."))
    return redirect(url_for(".message", id_=id_), 303)


@pages.post("/messages/<uuid:id_>/<any(redrive, cancel, discard):action>")
@operator
def act(id_: UUID, action: str) -> Any:
    """Send it back to work, cancel it, or delete it for good."""
    with transaction() as conn:
        control.act(conn, action, str(id_), decided())
    flash(
        {
            "redrive": _("Sent back to work."),
            "cancel": _("Cancelled, or asked to end where it runs."),
            "discard": _("Deleted for good."),
        }[action]
    )
    return redirect(url_for(".found") if action == "discard" else url_for(".message", id_=id_), 303)


def _page(conn: Connection, id_: str, said: Any = None) -> str:
    row = messages.whole(conn, id_) or abort(404)
    arguments = said.get("kwargs") if isinstance(said, dict) else None
    return render_template(
        "message.html",
        message=row,
        kind=class_of(row["error"]) if row["error"] else None,
        can=_actions(row["state"]),
        said=None if said is None else json.dumps(said, ensure_ascii=False, indent=2),
        arguments=None if arguments is None else json.dumps(arguments, ensure_ascii=False, indent=2),
        deliveries=[each.id for each in queries.deliveries.of_message(conn, message_id=id_)],
    )


def _actions(state: str) -> set[str]:
    if state in control.GIVEN_UP:
        return {"redrive", "edit", "discard"}
    return {"cancel"} if state in control.UNENDED else set()


def listed(row: dict[str, Any]) -> dict[str, Any]:
    """Of its row, what names nobody; its id leads to its page."""
    kind = row["kind"] and (class_of(row["kind"]) or _("in words of its own"))
    shown = {name: row[name] for name in ("changed_at", "queue", "actor", "attempt")}
    return {
        "id": row["id"][:8],
        **shown,
        "message_state": row["state"],
        "kind": kind,
        "address": url_for("messages.message", id_=row["id"]),
    }


def _arguments(given: str) -> dict[str, Any]:
    try:
        arguments = json.loads(given)
    except (RecursionError, ValueError):
        arguments = None
    if not isinstance(arguments, dict):
        raise Refused('The arguments must be a JSON object, {"name": value}: nothing was done.')
    return arguments
