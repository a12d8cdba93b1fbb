"""What fails: a line for each kind of failure, without its words, for they may quote a person's data."""

from flask import Blueprint, render_template

from db.database import transaction
from desk import messages
from messaging.vault import class_of

pages = Blueprint("failures", __name__, template_folder="templates")


@pages.get("/failures")
def failures() -> str:
    """Every kind of failure, the latest first."""
    with transaction() as conn:
        found = messages.failures(conn, messages.Filter())
    rows = [vars(each) | {"failure": each.fingerprint, "kind": class_of(each.kind)} for each in found]
    return render_template("failures.html", rows=rows)
