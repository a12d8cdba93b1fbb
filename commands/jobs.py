"""`balansity jobs`: the schedule, its history, and a person's hand on it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

import scheduler
import settings
from commands.messages import as_json, show
from db import clock, overview, queries
from db.database import transaction


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(ctx: click.Context) -> None:
    """The schedule: list (what is done without a command), run, pause, resume, history."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_jobs, json_=False)


@jobs.command("list")
@as_json
def list_jobs(*, json_: bool) -> None:
    """Every job, what becomes of its missed slots, its next runs and its latest one."""
    table = {job.name: job for job in scheduler.JOBS}
    with transaction() as conn:
        rows = [row | _policy(table.get(row["job"])) for row in overview.jobs(conn)]
    if json_:
        click.echo(_json(rows))
        return
    show(
        f"Jobs, times in {settings.current().time_zone}",
        [
            {
                "job": row["job"],
                "schedule": row["schedule"],
                "missed slots": row["missed"] and f"{row['missed']}, {row['most_lateness']} late at most",
                "next runs": _next_runs(row),
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
    _order(scheduler.run_now, name)
    click.echo(f"{name}: enqueued; `balansity jobs history {name}` tells what it did")


@jobs.command()
@click.argument("name")
def pause(name: str) -> None:
    """Stop enqueuing the job NAME until it is resumed."""
    _order(scheduler.pause, name)
    click.echo(f"{name}: paused")


@jobs.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let the job NAME go on; slots that passed meanwhile are noted as skipped."""
    _order(scheduler.resume, name)
    click.echo(f"{name}: goes on")


@jobs.command()
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, help="How many runs.")
@click.option("--skipped", is_flag=True, help="Slots that were skipped, too, with the reason.")
@as_json
def history(name: str | None, limit: int, *, skipped: bool, json_: bool) -> None:
    """The latest runs of the job NAME, or of all jobs: planned, enqueued, started, finished, and what they did."""
    with transaction() as conn:
        rows = [row._asdict() for row in queries.jobs.history(conn, job=name, skipped=skipped, limit=limit)]
    if json_:
        click.echo(_json(rows))
        return
    show(
        f"Runs, times in {settings.current().time_zone}",
        [
            {
                "job": row["job"],
                "slot": _shown(row["slot"], "%d.%m %H:%M:%S"),
                **{what: _shown(row[f"{what}_at"], "%d.%m %H:%M:%S") for what in ("enqueued", "started", "finished")},
                "outcome": _outcome(row),
            }
            for row in rows
        ],
    )


def _order(give: Callable[[str, datetime], None], name: str) -> None:
    with transaction() as conn:
        now = clock.now(conn)
    give(name, now)


def _policy(job: scheduler.Job | None) -> dict[str, Any]:
    """What the table of jobs says of missed slots, where it has the job at all."""
    return {"missed": job and job.missed, "most_lateness": job and str(job.most_lateness)}


def _next_runs(row: dict[str, Any]) -> str:
    if row["paused"]:
        return "paused"
    runs = ", ".join(_shown(run, "%d.%m %H:%M") for run in row["next_runs"])
    return f"ahead of the clock: {runs}" if row["ahead"] else runs


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, default=lambda time: time.astimezone(UTC).isoformat(), ensure_ascii=False)


def _shown(time: datetime | None, form: str) -> str:
    return time.astimezone(settings.current().time_zone).strftime(form) if time else ""


def _outcome(row: dict[str, Any]) -> str:
    return ": ".join(filter(None, [row["state"], row["outcome"]]))
