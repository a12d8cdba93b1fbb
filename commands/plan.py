"""`balansity plan`: what the schedule is going to do, without doing it."""

from dataclasses import asdict
from datetime import datetime, timedelta

import click

from commands.output import json_option, moment, say, say_rest, show_json, show_table
from commands.when import When
from db import clock, queries
from db.database import transaction
from desk.plan import happenings, runs_between


@click.command()
@click.option(
    "--from", "since", type=When(), help="A day or a time by the clinic's clocks, tomorrow, +2h; default: now."
)
@click.option("--to", "until", type=When(), help="As --from; default: a day later.")
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1),
    help="How many happenings at most; --json has all.",
)
@json_option
def plan(since: datetime | None, until: datetime | None, limit: int, *, as_json: bool) -> None:
    """Show how often each job will run, and which reminders, status changes and clean-ups would happen when.

    Nothing is written. Which check-ups have been deleted is not looked for: their reports go with the next run of
    remove-old-reports.

    \b
      balansity plan --from tomorrow
      balansity plan --from "2026-11-25 20:00" --to 2026-11-26T12:00
    """  # noqa: D301 - click reads the \b as "keep these lines"
    with transaction() as conn:
        queries.appointments.read_only(conn)
        now = clock.now(conn)
        start = since or now
        end = until or start + timedelta(days=1)
        if end <= start:
            raise click.UsageError(f"--to {moment(end)} must be after --from {moment(start)}")
        runs = [asdict(each) for each in runs_between(conn, start, end)]
        rows = [each._asdict() for each in happenings(conn, now, start, end)]
    if as_json:
        show_json({"job": runs, "happening": rows})
    else:
        show_table("Runs of jobs", [row | {"paused": "paused" if row["paused"] else ""} for row in runs])
        show_table("What they would do", rows[:limit])
        say_rest(min(limit, len(rows)), len(rows), "happenings")
        say("Reports of deleted check-ups go with the next run of remove-old-reports, and are not listed.")
