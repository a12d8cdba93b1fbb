"""The first page: what waits, runs and failed, which workers live, and when each job runs next."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template

import settings
from db import queries
from db.connection import transaction
from domain.slots import next_slot

MOST_DEAD = 20

messages = queries.load("messages")
schedule = queries.load("jobs")
pages = Blueprint("state", __name__, template_folder="templates")


@pages.get("/")
def overview() -> str:
    """Everything at a glance; reload to look again."""
    now = datetime.now(UTC)
    with transaction() as conn:
        return render_template(
            "state.html",
            at=now,
            shown=_shown,
            queues=_rows(
                ("queue", "waiting", "delayed", "running", "done", "dead", "oldest_seconds"),
                messages.count_messages(conn),
            ),
            pgmq=_rows(("queue", "waiting"), messages.count_pgmq(conn)),
            workers=_rows(("worker", "host", "pid", "silent_seconds"), messages.list_workers(conn)),
            jobs=[_job(row, now) for row in schedule.list_jobs_with_latest(conn)],
            dead=[_letter(row) for row in messages.list_dead(conn, actor=None, limit=MOST_DEAD)],
            mails=_rows(("template", "state", "count"), messages.count_mails(conn)),
        )


def _rows(columns: tuple[str, ...], rows: Any) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _job(row: tuple[Any, ...], now: datetime) -> dict[str, Any]:
    name, expression, zone, paused, latest_slot, latest_state, outcome = row
    return {
        "job": name,
        "next_run": "paused" if paused else next_slot(expression, ZoneInfo(zone), now),
        "latest_run": latest_slot,
        "state": latest_state,
        "outcome": outcome,
    }


def _letter(row: tuple[Any, ...]) -> dict[str, Any]:
    """A dead letter without its error's words: they may quote a person's data."""
    message_id, actor, queue, died_at, attempts, *_ = row
    return {"message": message_id, "actor": actor, "queue": queue, "died_at": died_at, "attempts": attempts}


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(settings.current().time_zone):%Y-%m-%d %H:%M:%S}"
    return "" if value is None else str(value)
