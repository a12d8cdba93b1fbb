"""What fails: a line for each kind of failure, without its words, for they may quote a person's data."""

from typing import Any

from flask import Blueprint, render_template, url_for

from db.database import transaction
from desk import messages
from messaging.vault import class_of
from web.language import gettext as _

pages = Blueprint("failures", __name__, template_folder="templates")


@pages.get("/failures")
def failures() -> str:
    """Every kind of failure, the latest first."""
    with transaction() as conn:
        found = messages.failures(conn, messages.Filter())
    return render_template("failures.html", rows=[_listed(each) for each in found])


def _listed(failure: messages.Failure) -> dict[str, Any]:
    """A kind, whose letters lead to its messages."""
    told = {name: getattr(failure, name) for name in ("actor", "state", "messages", "first_at", "last_at")}
    kind = class_of(failure.kind) or _("in words of its own")
    return {
        "failure": failure.fingerprint,
        "kind": kind,
        **told,
        "address": url_for("messages.found", failure=failure.fingerprint),
    }
