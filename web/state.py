"""The first page: what waits, runs and failed, which workers live, and when each job runs next."""

from typing import Any

from flask import Blueprint, render_template

from db import clock, overview, queries
from db.database import transaction
from web.language import gettext as _
from web.words import heads

MOST_DEAD = 20

pages = Blueprint("state", __name__, template_folder="templates")


@pages.get("/")
def state() -> str:
    """Everything at a glance."""
    with transaction() as conn:
        return render_template(
            "state.html",
            at=clock.now(conn),
            headed=lambda rows: heads(rows[0]) if rows else {},
            queues=overview.queues(conn),
            pgmq=overview.pgmq(conn),
            workers=[_process(row) for row in overview.workers(conn)],
            schedulers=[_process(row) for row in overview.schedulers(conn)],
            providers=overview.providers(conn),
            sleeping=queries.deliveries.count_sleeping(conn),
            jobs=[_job(job) for job in overview.jobs(conn)],
            dead=[
                _dead_letter(row) for row in queries.messages.list_dead(conn, actor=None, since=None, limit=MOST_DEAD)
            ],
            dead_in_all=queries.messages.count_dead(conn, actor=None, since=None),
            mails=overview.mails(conn),
        )


def _process(row: dict[str, Any]) -> dict[str, Any]:
    """A process whose numbers are names."""
    return {name: value if name == "silent_seconds" else str(value) for name, value in row.items()}


def _job(job: dict[str, Any]) -> dict[str, Any]:
    next_run = _("paused") if job["paused"] else job["next_runs"][0]
    return {"job": job["job"], "next_run": next_run, **{name: job[name] for name in ("latest_run", "state", "outcome")}}


def _dead_letter(row: Any) -> dict[str, Any]:
    """A dead letter without its error's words: they may quote a person's data."""
    return {
        "message": row.message_id,
        **{name: getattr(row, name) for name in ("actor", "queue", "died_at", "attempts")},
    }
