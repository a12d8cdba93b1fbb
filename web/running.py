"""What workers do now: since when, for how long at most, whose lock they wait for, and where one stands that hangs."""

from typing import Any

from flask import Blueprint, redirect, render_template, url_for

from db import clock
from db.database import transaction
from desk import running as desk
from web.language import gettext as _

pages = Blueprint("running", __name__, template_folder="templates")


@pages.get("/running")
def running() -> str:
    """Every message that a worker holds, longest first, and the sessions that wait for others' locks."""
    with transaction() as conn:
        at, runs = clock.now(conn), desk.running(conn)
        sees_all = desk.sees_all(conn)
        blocked = [row | {"pid": str(row["pid"])} for row in desk.blocked(conn)]
    return render_template(
        "running.html",
        at=at,
        runs=[_listed(run, at) for run in runs],
        workers=_workers(runs),
        blocked=blocked,
        sees_all=sees_all,
    )


@pages.get("/running/<int:worker>")
def stacks(worker: int) -> str:
    """Where a worker's threads stand, once somebody has asked."""
    with transaction() as conn:
        at, look = clock.now(conn), desk.seen(conn, worker)
        runs = [_listed(run, at) for run in desk.running(conn) if run.worker == worker]
    stacks = sorted((look and look.stacks) or [], key=lambda stack: stack["message"] is None)  # what runs first
    return render_template("stacks.html", at=at, worker=worker, look=look, runs=runs, stacks=stacks)


@pages.post("/running/<int:worker>/look")
def look_into(worker: int) -> Any:
    """Ask it; the page waits for its answer. A stack names places in the code, and no value: readers may see it."""
    with transaction() as conn:
        desk.look_into(conn, worker)
    return redirect(url_for(".stacks", worker=worker), 303)


def _listed(run: desk.Run, at: Any) -> dict[str, Any]:
    return {
        "id": run.id[:8],
        "actor": run.actor,
        "queue": run.queue,
        "since": run.since,
        "seconds": round((at - run.since).total_seconds()),
        "limit_seconds": round(run.limit_seconds),
        "worker": str(run.worker),
        "attempt": run.attempt,
        "note": _("to be ended") if run.is_cancelled else "",
        "address": url_for("messages.message", id_=run.id),
    }


def _workers(runs: list[desk.Run]) -> dict[int, str]:
    """The workers that hold something, each with its process."""
    return {run.worker: f"{run.host}:{run.pid}" if run.host else "" for run in runs}
