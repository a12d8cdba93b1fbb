"""The first page: what waits, runs and failed, which workers live, and when each job runs next."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template

import settings
from db import overview, queries
from db.connection import transaction

MOST_DEAD = 20

messages = queries.load("messages")
pages = Blueprint("state", __name__, template_folder="templates")


@pages.get("/")
def state() -> str:
    """Everything at a glance; reload to look again."""
    now = datetime.now(UTC)
    with transaction() as conn:
        return render_template(
            "state.html",
            at=now,
            shown=_shown,
            queues=overview.queues(conn),
            pgmq=overview.pgmq(conn),
            workers=overview.workers(conn),
            jobs=[_job(job) for job in overview.jobs(conn, now)],
            dead=[_letter(row) for row in messages.list_dead(conn, actor=None, limit=MOST_DEAD)],
            mails=overview.mails(conn),
        )


def _job(job: dict[str, Any]) -> dict[str, Any]:
    shown = {name: job[name] for name in ("job", "next_run", "latest_run", "state", "outcome")}
    return {**shown, "next_run": job["next_run"] or "paused"}


def _letter(row: tuple[Any, ...]) -> dict[str, Any]:
    """A dead letter without its error's words: they may quote a person's data."""
    message_id, actor, queue, died_at, attempts, *_ = row
    return {"message": message_id, "actor": actor, "queue": queue, "died_at": died_at, "attempts": attempts}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(settings.current().time_zone):%Y-%m-%d %H:%M:%S}"
    return "" if value is None else str(value)
