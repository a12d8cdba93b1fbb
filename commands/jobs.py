"""`balansity jobs`: the schedule, its history, and a person's hand on it."""

import json
from datetime import UTC, datetime
from typing import Any

import click

import db.queries
import scheduler
import settings
from commands.messages import as_json, show
from db import overview
from db.connection import transaction

queries = db.queries.load("jobs")


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(ctx: click.Context) -> None:
    """The schedule: list (what is done without a command), run, pause, resume, history."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_jobs, json_=False)


@jobs.command("list")
@as_json
def list_jobs(*, json_: bool) -> None:
    """Every job, its next run and its latest one."""
    with transaction() as conn:
        rows = overview.jobs(conn, datetime.now(UTC))
    if json_:
        click.echo(_json(rows))
        return
    show(
        f"Jobs, times in {settings.current().time_zone}",
        [
            {
                "job": row["job"],
                "schedule": row["schedule"],
                "next run": "paused" if row["next_run"] is None else _shown(row["next_run"], "%d.%m %H:%M"),
                "latest run": _shown(row["latest_run"], "%d.%m %H:%M"),
                "outcome": _outcome(row),
            }
            for row in rows
        ],
    )


@jobs.command()
@click.argument("name")
def run(name: str) -> None:
    """Enqueue a run of the job NAME now, outside its schedule."""
    scheduler.run_now(name, datetime.now(UTC))
    click.echo(f"{name}: enqueued; `balansity jobs history {name}` tells what it did")


@jobs.command()
@click.argument("name")
def pause(name: str) -> None:
    """Stop enqueuing the job NAME until it is resumed."""
    scheduler.pause(name, datetime.now(UTC))
    click.echo(f"{name}: paused")


@jobs.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let the job NAME go on; slots that passed meanwhile are noted as skipped."""
    scheduler.resume(name, datetime.now(UTC))
    click.echo(f"{name}: goes on")


@jobs.command()
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, help="How many runs.")
@as_json
def history(name: str | None, limit: int, *, json_: bool) -> None:
    """The latest runs of the job NAME, or of all jobs: planned, enqueued, started, finished, and what they did."""
    columns = ("job", "slot", "state", "enqueued_at", "started_at", "finished_at", "attempts", "outcome")
    with transaction() as conn:
        rows = [dict(zip(columns, row, strict=True)) for row in queries.history(conn, job=name, limit=limit)]
    if json_:
        click.echo(_json(rows))
        return
    show(
        f"Runs, times in {settings.current().time_zone}",
        [
            {
                "job": row["job"],
                "slot": _shown(row["slot"], "%d.%m %H:%M:%S"),
                "started": _shown(row["started_at"], "%H:%M:%S"),
                "seconds": _seconds(row["started_at"], row["finished_at"]),
                "outcome": _outcome(row),
            }
            for row in rows
        ],
    )


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, default=lambda time: time.astimezone(UTC).isoformat(), ensure_ascii=False)


def _shown(time: datetime | None, form: str) -> str:
    return time.astimezone(settings.current().time_zone).strftime(form) if time else ""


def _seconds(started: datetime | None, finished: datetime | None) -> str:
    return f"{(finished - started).total_seconds():.1f}" if started and finished else ""


def _outcome(row: dict[str, Any]) -> str:
    return ": ".join(filter(None, [row["state"], row["outcome"]]))
