"""An action about all messages that a filter finds: how many and a sample, a reason, progress, and an end to it."""

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from db import queries
from db.connection import Connection
from db.database import transaction
from desk import bulk
from desk.bulk import Bulk
from desk.decision import Decision
from desk.wanted import Wanted
from web.access import operator
from web.decisions import decided
from web.messages import listed, said

SAMPLE = 5
PAUSE = "100ms"  # before the page asks for the next step
PAUSE_BESIDE_ANOTHER = "2s"  # while another page's step works

pages = Blueprint("bulk", __name__, template_folder="templates")


@pages.get("/messages/all/<any(redrive, cancel, discard):action>")
def confirm(action: str) -> str:
    """How many there are, some of them, and the form that decides; nothing is done yet."""
    with transaction() as conn:
        meant = Bulk(action, said(conn))
        total, sample = meant.count(conn), meant.sample(conn, SAMPLE)
    return render_template(
        "confirm.html", bulk=meant, total=total, sample=[listed(row) for row in sample], id=str(uuid4())
    )


@pages.post("/actions")
@operator
def begin() -> Any:
    """Decide it; its own page works through it."""
    id_ = request.form.get("id", type=UUID) or abort(400)
    wanted = Wanted(**{name: request.form.get(name, "") for name in Wanted().said()})
    with transaction() as conn:
        bulk.begin(conn, str(id_), Bulk(request.form.get("action", ""), wanted), decided())
    return redirect(url_for(".action", id_=id_), 303)


@pages.get("/actions")
def actions() -> str:
    """The last ones."""
    with transaction() as conn:
        rows = list(queries.operators.bulks(conn, limit=50))
    return render_template("actions.html", rows=rows)


@pages.get("/actions/<uuid:id_>")
def action(id_: UUID) -> str:
    """How far it is."""
    with transaction() as conn:
        return _page(conn, id_)


@pages.post("/actions/<uuid:id_>/step")
@operator
def step(id_: UUID) -> Any:
    """Go on with it for a moment: its page asks for that, over and over."""
    worked = bulk.step(str(id_))
    if "HX-Request" not in request.headers:
        return redirect(url_for(".action", id_=id_), 303)
    with transaction() as conn:
        return _page(conn, id_, PAUSE if worked else PAUSE_BESIDE_ANOTHER)


@pages.post("/actions/<uuid:id_>/stop")
@operator
def stop(id_: UUID) -> Any:
    """Leave the rest as it is."""
    with transaction() as conn:
        bulk.stop(conn, str(id_), Decision(g.user.name, "page", "stopped while it went on"))
    return redirect(url_for(".action", id_=id_), 303)


def _page(conn: Connection, id_: UUID, pause: str = PAUSE) -> str:
    row = queries.operators.bulk(conn, id=str(id_)) or abort(404)
    return render_template("action.html", bulk=row, pause=pause)
