"""`balansity jobs`: the schedule, its history, and a person's hand on it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import click

import scheduler
from commands.ids import the_one
from commands.output import counted, json_option, say, say_rest, show_json, show_table, so_many
from db import clock, overview, queries
from db.connection import Connection
from db.database import transaction


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(ctx: click.Context) -> None:
    """The schedule: list (what is done without a command), run, pause, resume, history."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_jobs, as_json=False)


@jobs.command("list")
@json_option
def list_jobs(*, as_json: bool) -> None:
    """Every job, what becomes of its missed slots, its next runs and its latest one."""
    table = {job.name: job for job in scheduler.JOBS}
    with transaction() as conn:
        rows = [row | _policy(table.get(row["job"])) for row in overview.jobs(conn)]
    if as_json:
        show_json(rows)
        return
    show_table(
        "Jobs",
        [
            {
                "job": row["job"],
                "schedule": row["schedule"],
                "missed slots": row["missed"] and f"{row['missed']}, {row['most_lateness']} late at most",
                "next runs": _next_runs(row),
                "latest run": row["latest_run"],
                "outcome": _outcome(row),
            }
            for row in rows
        ],
        least=("missed slots", "schedule", "latest run"),
    )


@jobs.command()
@click.argument("name")
def run(name: str) -> None:
    """Enqueue a run of the job NAME now, outside its schedule; the beginning of a name does."""
    name = _order(scheduler.run_now, name)
    say(f"{name}: enqueued; `balansity jobs history {name}` tells what it did")


@jobs.command()
@click.argument("name")
def pause(name: str) -> None:
    """Stop enqueuing the job NAME until it is resumed."""
    name = _order(scheduler.pause, name)
    say(f"{name}: paused")


@jobs.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let the job NAME go on; slots that passed meanwhile are noted as skipped."""
    name = _order(scheduler.resume, name)
    say(f"{name}: goes on")


@jobs.command()
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many runs at most.")
@click.option("--skipped", is_flag=True, help="Slots that were skipped, too, with the reason.")
@json_option
def history(name: str | None, limit: int, *, skipped: bool, as_json: bool) -> None:
    """The latest runs of the job NAME, or of all jobs: planned, enqueued, started, finished, and what they did."""
    with transaction() as conn:
        name = name and _named(conn, name)
        rows = [row._asdict() for row in queries.jobs.history(conn, job=name, skipped=skipped, limit=limit)]
        total = counted(rows, limit, partial(queries.jobs.count_history, conn, job=name, skipped=skipped))
    say_rest(len(rows), total, "runs")
    if as_json:
        show_json(rows)
        return
    show_table(
        f"{so_many(len(rows), total)} runs" if rows else "Runs",
        [
            {
                "job": row["job"],
                "slot": row["slot"],
                **{what: row[f"{what}_at"] for what in ("enqueued", "started", "finished")},
                "outcome": _outcome(row),
            }
            for row in rows
        ],
        least=("enqueued", "started"),
    )


def _order(give: Callable[[str, datetime], None], given: str) -> str:
    """Have it done to the job that is meant; gives its name."""
    with transaction() as conn:
        name, now = _named(conn, given), clock.now(conn)
    give(name, now)
    return name


def _named(conn: Connection, given: str) -> str:
    names = [row.name for row in queries.jobs.job_names(conn) if row.name.startswith(given)]
    return the_one(given, names, "job", "balansity jobs")


def _policy(job: scheduler.Job | None) -> dict[str, Any]:
    """What the table of jobs says of missed slots, where it has the job at all."""
    return {"missed": job and job.missed, "most_lateness": job and str(job.most_lateness)}


def _next_runs(row: dict[str, Any]) -> list[Any]:
    if row["paused"]:
        return ["paused"]
    return [*["ahead of the clock"] * row["ahead"], *row["next_runs"]]


def _outcome(row: dict[str, Any]) -> str:
    return ": ".join(filter(None, [row["state"], row["outcome"]]))
