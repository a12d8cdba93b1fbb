"""Payments that wait or that a person has to decide about; each one's whole story, and the decision."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from db import clock
from db.connection import Connection
from db.database import transaction
from desk import payments as desk
from desk.decision import record
from web.access import operator
from web.covered import COVERED
from web.decisions import decided
from web.language import gettext as _
from web.paging import cursor
from web.payment_effects import effect
from web.payment_words import told
from web.sums import written

ROWS = 50
LISTS = ("flagged", "open", "unasked")
PROVIDERS = {None, "", "yookassa"}  # that can be asked
ACTIONS = ("verify", "refund", "update_status")
CAUSING = {"completed", "refunded", "cancelled", "failed"}  # statuses that something follows from

pages = Blueprint("payments", __name__, template_folder="templates")


@pages.get("/payments")
def payments() -> str:
    """Those that are flagged and those that are open; or a page of one list, `?list=open`."""
    wanted = request.args.get("list")
    names = [wanted] if wanted in LISTS else ["flagged", "open"]
    after = cursor(request.args) if wanted in LISTS else (None, None)
    with transaction() as conn:
        at, open_ = clock.now(conn), desk.counts_open(conn)
        totals = {"flagged": desk.count_flagged(conn), "open": open_[True], "unasked": open_[False]}
        lists = {name: _listed(conn, name, totals[name], after) for name in names}
    return render_template("payments.html", at=at, lists=lists, unasked=totals["unasked"], found=None, wanted=wanted)


@pages.post("/payments")
def search() -> Any:
    """On to the payment that is called so, or those among whom to choose; what is searched for stands in no address."""
    with transaction() as conn:
        found = desk.find(conn, request.form.get("words", "").replace("\0", ""), ROWS)
    if len(found) == 1:
        return redirect(url_for(".payment", id_=found[0]), 303)
    return render_template("payments.html", found=found, lists={}), 200 if found else 404


@pages.get("/payments/<uuid:id_>")
def payment(id_: UUID) -> str:
    """All of one; what is not our own word stays covered."""
    return _told(id_, bare=False)


@pages.post("/payments/<uuid:id_>/reveal")
@operator
def reveal(id_: UUID) -> str:
    """The same with what the provider and operators said, which may name a person; it is kept who saw it."""
    decision = decided()
    with transaction() as conn:
        record(conn, decision, "reveal payment", str(id_))
    return _told(id_, bare=True)


@pages.post("/payments/<uuid:id_>/<action>")
@operator
def act(id_: UUID, action: str) -> Any:
    """Decide: approve it as it stands, or have a worker verify it, refund it, or do what is missing."""
    decision = decided()
    with transaction() as conn:
        if desk.about(conn, str(id_)) is None:
            abort(404)
        if action == "resolve":
            desk.resolve(conn, str(id_), decision)
        elif action in ACTIONS:
            desk.process(conn, str(id_), action, decision)
        else:
            abort(404)
    flash(
        _("Approved as it stands.")
        if action == "resolve"
        else _("A worker does it now; what comes of it is told here.")
    )
    return redirect(url_for(".payment", id_=id_), 303)


def _listed(conn: Connection, name: str, total: int, after: tuple[datetime | None, str | None]) -> dict[str, Any]:
    """A page of a list, how many there are in all, and the address of the rest."""
    if name == "flagged":
        rows = [_flagged(each) for each in desk.flagged(conn, ROWS, after=after)]
    else:
        rows = [_open(each) for each in desk.open_ones(conn, ROWS, known=name == "open", after=after)]
    return {"rows": rows, "total": total, "more": _more(name, rows[-1]) if len(rows) == ROWS and total > ROWS else None}


def _more(name: str, row: dict[str, Any]) -> str:
    """The address of those behind this one."""
    return url_for(".payments", list=name, until=row["since"].isoformat(), last=row["whole_id"])


def _flagged(payment: desk.Flagged) -> dict[str, Any]:
    return _row(payment) | {"why": "; ".join(str(told(each)) for each in payment.reasons)}


def _open(payment: desk.Open) -> dict[str, Any]:
    return _row(payment) | {
        "why": told(payment.why),
        "next_check_at": payment.next_check_at,
        "checks": payment.checks,
    }


def _row(payment: desk.Flagged | desk.Open) -> dict[str, Any]:
    return {
        "id": payment.id[:8],
        "whole_id": payment.id,
        "address": url_for(".payment", id_=payment.id),
        "state": payment.status,
        "sum": written(payment.sum),
        "since": payment.since,
    }


def _told(id_: UUID, *, bare: bool) -> str:
    with transaction() as conn:
        at = clock.now(conn)
        facts = desk.about(conn, str(id_)) or abort(404)
        flags = desk.flags(conn, str(id_))
    effects = [effect(each, bare=bare) for each in facts["effect"]]
    waits = facts["open"] and _open(facts["open"]) | {"why": told(facts["open"].why, bare=bare)}
    words = [each["detail"] for each in effects] + [waits and waits["why"]]
    return render_template(
        "payment.html",
        at=at,
        is_bare=bare,
        payment=facts | {"sum": written(facts["sum"])},
        waits=waits,
        flags=[told(flag.reason, bare=bare) for flag in flags],
        is_held=any(flag.halts for flag in flags),
        effects=effects,
        is_covered=any(each and COVERED in each for each in words),
        can_ask=facts["external_id"] and facts["payment_method"] in PROVIDERS,
        causes=facts["status"] in CAUSING,
    )
