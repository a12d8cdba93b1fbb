"""Words for what the schedule is going to do, and to what, in the language of a page's reader."""

import re

from flask import url_for

from web.language import gettext
from web.words import N_

WHAT = {
    "reminder 24h": N_("reminder 24 hours before"),
    "reminder 1h": N_("reminder an hour before"),
    "in_progress": N_("consultation begins"),
    "completed": N_("consultation is over"),
    "abandoned": N_("check-up is abandoned"),
    "removed": N_("report is removed"),
    "purged": N_("messages are removed"),
}
PAGES = {"appointment": "appointment", "assessment": "check-up"}  # of a journey


def what(name: str) -> str:
    """What happens."""
    return gettext(WHAT[name]) if name in WHAT else name


def subject(words: str) -> dict[str, str | None]:
    """To what it happens, as the first letters of its id, and where its page is."""
    if counted := re.fullmatch(r"(\d+) messages", words):
        return {"subject": gettext("messages: %(count)s", count=counted[1]), "address": None}
    kind, _space, id_ = words.partition(" ")
    if kind == "report":
        return {"subject": id_[:8], "address": url_for("reports.report", id_=id_)}
    address = url_for("people.person", kind=PAGES[kind], id_=id_) if kind in PAGES else None
    return {"subject": id_[:8], "address": address}
