"""What fails: a line for each kind of failure, without its words, for they may quote a person's data."""

import re
from typing import Any

from flask import Blueprint, render_template

from db.database import transaction
from desk import messages
from desk.messages import Failure

# The class of an exception, by the ends that theirs have; what it says stands behind it.
ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exceeded|Unknown|Away|Message|Missing)(?=:|$)")

pages = Blueprint("failures", __name__, template_folder="templates")


@pages.get("/failures")
def failures() -> str:
    """Every kind of failure, the latest first."""
    with transaction() as conn:
        found = messages.failures(conn, messages.Filter())
    return render_template("failures.html", rows=[_shown(each) for each in found])


def _shown(failure: Failure) -> dict[str, Any]:
    error = ERROR.match(failure.kind)
    return vars(failure) | {"failure": failure.fingerprint, "kind": error[0] if error else ""}
