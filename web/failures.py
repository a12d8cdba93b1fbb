"""What fails and why: a line for each kind of failure, which quotes no error."""

from flask import Blueprint, render_template

from db.database import transaction
from desk import messages

pages = Blueprint("failures", __name__, template_folder="templates")


@pages.get("/failures")
def failures() -> str:
    """Every kind of failure, the latest first."""
    with transaction() as conn:
        found = messages.failures(conn, messages.Filter())
    return render_template("failures.html", rows=[vars(each) | {"failure": each.fingerprint} for each in found])
