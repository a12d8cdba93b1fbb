"""`balansity jobs`: the schedule, its history, and a person's hand on it."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

import db.queries
import scheduler
import settings
from commands.messages import show
from db.connection import transaction
from domain.slots import next_slot

queries = db.queries.load("jobs")


@click.group()
def jobs() -> None:
    """The schedule: list, run, pause, resume, history."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def list_jobs(as_json: bool) -> None:
    """Every job, its next run and its latest one."""
    now = datetime.now(UTC)
    with transaction() as conn:
        rows = [_described(row, now) for row in queries.list_jobs_with_latest(conn)]
    _print("Jobs", rows, as_json)


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
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def history(name: str | None, limit: int, as_json: bool) -> None:
    """The latest runs of the job NAME, or of all jobs: planned, enqueued, started, finished, and what they did."""
    columns = ("job", "slot", "state", "enqueued_at", "started_at", "finished_at", "attempts", "outcome")
    with transaction() as conn:
        rows = [dict(zip(columns, row, strict=True)) for row in queries.history(conn, job=name, limit=limit)]
    _print("Runs", rows, as_json)


def _described(row: tuple[Any, ...], now: datetime) -> dict[str, Any]:
    name, schedule, time_zone, paused, latest_slot, latest_state, latest_outcome = row
    return {
        "job": name,
        "schedule": schedule,
        "time_zone": time_zone,
        "next_run": None if paused else next_slot(schedule, ZoneInfo(time_zone), now),
        "latest_run": latest_slot,
        "state": latest_state,
        "outcome": latest_outcome,
    }


def _print(title: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=lambda time: time.astimezone(UTC).isoformat(), ensure_ascii=False))
        return
    zone = settings.current().time_zone
    show(f"{title}, times in {zone}", [{key: _local(value, zone) for key, value in row.items()} for row in rows])


def _local(value: Any, zone: ZoneInfo) -> Any:
    return f"{value.astimezone(zone):%d.%m %H:%M:%S}" if isinstance(value, datetime) else value
