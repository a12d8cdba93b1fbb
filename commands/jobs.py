"""`balansity jobs`: the schedule, its history, and a person's hand on it."""

from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import click

import scheduler
from commands.acting import decision, reason_option
from commands.ids import the_one
from commands.output import MOST_COUNTED, counted, json_option, moment, say, say_rest, show_json, show_table, so_many
from commands.when import When
from db import clock, overview, queries
from db.connection import Connection
from db.database import transaction
from desk import jobs as desk

FOLDED = ("job", "runs", "failed", "unfinished", "skipped", "first", "last")


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
@reason_option
def run(name: str, *, reason: str) -> None:
    """Enqueue a run of the job NAME now, outside its schedule; the beginning of a name does."""
    with transaction() as conn:
        desk.run(conn, name := _named(conn, name), decision(reason))
    say(f"{name}: enqueued; `balansity jobs history {name}` tells what it did")


@jobs.command()
@click.argument("name")
@reason_option
def pause(name: str, *, reason: str) -> None:
    """Stop enqueuing the job NAME, whichever scheduler keeps it, until it is resumed."""
    with transaction() as conn:
        desk.pause(conn, name := _named(conn, name), decision(reason))
    say(f"{name}: paused")


@jobs.command()
@click.argument("name")
@reason_option
def resume(name: str, *, reason: str) -> None:
    """Let the job NAME go on; slots that passed meanwhile are noted as skipped."""
    with transaction() as conn:
        desk.resume(conn, name := _named(conn, name), decision(reason))
    say(f"{name}: goes on")


@jobs.command()
@click.argument("name", required=False)
@click.option("--from", "since", type=When(), help="A day or a time by the clinic's clocks, yesterday, 12h (ago).")
@click.option("--to", "until", type=When(), help="As --from; default: now.")
@click.option("--failed", is_flag=True, help="Of a period, only what failed.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many runs at most.")
@click.option("--skipped", is_flag=True, help="Slots that were skipped, too, with the reason.")
@json_option
def history(  # noqa: PLR0913 - a parameter an option
    name: str | None,
    *,
    since: datetime | None,
    until: datetime | None,
    failed: bool,
    limit: int,
    skipped: bool,
    as_json: bool,
) -> None:
    """The latest runs of the job NAME, or of all jobs: planned, enqueued, started, finished, and what they did.

    With --from, --to or --failed it tells of a period, by default the last day: each job is one line, and only the runs
    that failed or took long stand by themselves.

    \b
      balansity jobs history --from "2026-11-25 20:00" --to "2026-11-26 08:00"
      balansity jobs history --from yesterday --failed
    """  # noqa: D301 - click reads the \b as "keep these lines"
    if name:
        with transaction() as conn:
            name = _named(conn, name)
    if since or until or failed:
        _tell_period(name, since, until, limit, failed=failed, as_json=as_json)
    else:
        _tell_latest(name, limit, skipped=skipped, as_json=as_json)


def _tell_period(  # noqa: PLR0913 - a period, and which of its runs
    name: str | None, since: datetime | None, until: datetime | None, limit: int, *, failed: bool, as_json: bool
) -> None:
    with transaction() as conn:
        end = until or clock.now(conn)
        start = since or end - timedelta(days=1)
        if end <= start:
            raise click.UsageError(f"--to {moment(end)} must be after --from {moment(start)}")
        jobs_ = [each for each in desk.folded(conn, start, end, name) if each.failed or not failed]
        runs = desk.remarkable(conn, start, end, limit, job=name, failed=failed)
        total = counted(runs, limit, partial(desk.count_remarkable, conn, start, end, job=name, failed=failed))
    if as_json:
        show_json({"from": start, "to": end, "job": [*map(asdict, jobs_)], "run": [*map(asdict, runs)]})
    else:
        say(f"From {moment(start)} to {moment(end)}")
        show_table("Jobs", [_folded(each) for each in jobs_], least=("first", "skipped", "unfinished"))
        which = "Runs that failed" if failed else f"Runs that failed or took over {desk.LONG.seconds} s"
        show_table(which, [_single(each) for each in runs], least=("tries", "started"))
    say_rest(len(runs), total, "runs")


def _folded(job: desk.Folded) -> dict[str, Any]:
    told = asdict(job)
    return {name: told[name] for name in FOLDED} | {"longest": _seconds(job.longest_seconds), "outcome": job.outcome}


def _single(run: desk.Run) -> dict[str, Any]:
    return {
        "job": run.job,
        "slot": run.slot,
        "state": run.state,
        "took": _seconds(run.took_seconds),
        "outcome": run.outcome,
        "started": run.started_at,
        "tries": run.attempts,
    }


def _seconds(span: float | None) -> str:
    return "" if span is None else f"{span:.1f} s"


def _tell_latest(name: str | None, limit: int, *, skipped: bool, as_json: bool) -> None:
    with transaction() as conn:
        rows = [row._asdict() for row in queries.jobs.history(conn, job=name, skipped=skipped, limit=limit)]
        count = partial(queries.jobs.count_history, conn, job=name, skipped=skipped, most=MOST_COUNTED)
        total = counted(rows, limit, count)
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


def _named(conn: Connection, given: str) -> str:
    """The name of the job that begins so."""
    names = [row.name for row in queries.jobs.job_names(conn) if row.name.startswith(given)]
    return the_one(given, names, "job", "balansity jobs")


def _policy(job: scheduler.Job | None) -> dict[str, Any]:
    """What the table of jobs says of missed slots, where it has the job at all."""
    return {"missed": job and job.missed, "most_lateness": job and str(job.most_lateness)}


def _next_runs(row: dict[str, Any]) -> list[Any]:
    if row["paused"]:
        return [f"paused by {row['paused_by']}: {row['paused_because']}" if row["paused_by"] else "paused"]
    return [*["ahead of the clock"] * row["ahead"], *row["next_runs"]]


def _outcome(row: dict[str, Any]) -> str:
    return ": ".join(filter(None, [row["state"], row["outcome"]]))
