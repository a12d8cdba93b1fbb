"""The operators' log: who did what, when and why."""

from typing import Any

from flask import Blueprint, render_template, request, url_for

from db import queries
from db.database import transaction
from web import action_words as words
from web.paging import MOST_COUNTED

ROWS = 50

pages = Blueprint("log", __name__, template_folder="templates")


@pages.get("/log")
def log() -> str:
    """The newest fifty, or those before `?before=` an action's number."""
    before = request.args.get("before", type=int)
    with transaction() as conn:
        rows = list(queries.operators.actions(conn, since=None, before=before, limit=ROWS))
        total = queries.operators.count_actions(conn, since=None, most=MOST_COUNTED)
    older = url_for(".log", before=rows[-1].id) if len(rows) == ROWS else None
    return render_template("log.html", rows=[_told(row) for row in rows], total=total, older=older)


def _told(row: Any) -> dict[str, Any]:
    return {
        **row._asdict(),
        "via": words.face(row.via),
        "action": words.did(row.action),
        "target": words.about(row.target),
        "links": {"target": words.place(row.action, row.target)},
    }
