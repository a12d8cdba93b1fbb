"""The reports that are kept: which mails brought each, and, to whoever gives a reason, what it says or it once more."""

from io import BytesIO
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, send_file, url_for

from db import queries
from db.connection import Connection
from db.database import transaction
from desk import reports as desk
from desk import sending
from web.access import operator
from web.decisions import decided
from web.language import gettext as _
from web.paging import MOST_COUNTED, cursor, older_than

ROWS = 50
CLOSED = "default-src 'none'; sandbox"  # whatever a report says, it runs nothing

pages = Blueprint("reports", __name__, template_folder="templates")


@pages.get("/reports")
def reports() -> str:
    """Fifty, the newest first, or those before `?until=`."""
    until, last = cursor(request.args)
    with transaction() as conn:
        found = list(queries.reports.latest(conn, since=None, until=until, last=last, count=ROWS))
        total = queries.reports.count_kept(conn, since=None, most=MOST_COUNTED)
    older = older_than(found[-1].created_at, found[-1].id) if len(found) == ROWS else None
    return render_template("reports.html", rows=[_listed(row) for row in found], total=total, older=older)


@pages.get("/reports/<uuid:id_>")
def report(id_: UUID) -> str:
    """One report, without what it says, and the mails that brought it."""
    with transaction() as conn:
        row = _found(conn, id_)
        mails = list(queries.reports.mails_of(conn, id=row.id))
        number = sending.next_number(conn, mails[0].id) if mails else None
    return render_template("report.html", report=row, mails=[_mail(each) for each in mails], number_of_mail=number)


@pages.post("/reports/<uuid:id_>/open")
@operator
def open_(id_: UUID) -> Response:
    """What it says, as a file; it is kept who opened it, and why."""
    file = desk.opened(str(id_), decided()) or abort(404)
    response = send_file(BytesIO(file.content), file.media_type, as_attachment=True, download_name=file.filename)
    response.headers["Content-Security-Policy"] = CLOSED
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.post("/reports/<uuid:id_>/again")
@operator
def mail_again(id_: UUID) -> Any:
    """Send the mail that brought it once more; two clicks on one form are one decision."""
    number = request.form.get("number", type=int)
    with transaction() as conn:
        row = _found(conn, id_)
        sent = sending.report_again(conn, row.id, decided(), made_anew="anew" in request.form, number=number)
    flash(_("A new mail is on its way."))
    return redirect(url_for("deliveries.delivery", id_=sent.delivery_id), 303)


def _found(conn: Connection, id_: UUID) -> Any:
    return queries.reports.about(conn, id=str(id_)) or abort(404)


def _listed(row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("created_at", "format", "size_bytes")}
    return {
        "id": row.id[:8],
        **shown,
        "checkup": row.assessment_id[:8],
        "links": {"checkup": url_for("people.person", kind="check-up", id_=row.assessment_id)},
        "state": row.mail,
        "address": url_for(".report", id_=row.id),
    }


def _mail(row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("planned_at", "state", "decided_by")}
    return {"id": row.id[:8], **shown, "address": url_for("deliveries.delivery", id_=row.id)}
