"""`balansity stats`: what the clinic did in a period."""

import sys
from datetime import datetime
from typing import Any

import click

import settings
from commands.output import json_option, progress, say, show_json, show_skipped, show_table
from db import queries
from db.batches import Skipped, hexadecimal, work_through
from db.connection import Connection
from db.database import transaction
from db.statistics import Period, Section, choose_period, collect
from desk.statistics import PRESETS, preset, sums
from desk.statistics import as_csv as statistics_csv

DAY = click.DateTime(["%Y-%m-%d"])


@click.command("stats")
@click.option("--from", "first", type=DAY, help="The first day, as 2026-11-01; default: 30 days up to the last one.")
@click.option("--to", "last", type=DAY, help="The last day, itself included; default: today.")
@click.option("--period", "named", type=click.Choice(list(PRESETS)), help="Instead of days; a week is the last seven.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated: one number a line.")
@click.option("--by-day", is_flag=True, help="With --csv: each day's numbers.")
@json_option
@click.option("--recount", is_flag=True, help="First put every kept event on its day: after TIME_ZONE has changed.")
def statistics(  # noqa: PLR0913 - a parameter an option
    first: datetime | None,
    last: datetime | None,
    *,
    named: str | None,
    as_csv: bool,
    by_day: bool,
    as_json: bool,
    recount: bool,
) -> None:
    """Count check-ups, consultations, revenue, mails and events of a period.

    Days are the clinic's (TIME_ZONE). Everything counts for the day it began on, with what has become of it by now:
    of the check-ups started in the period, so many are completed; of the consultations booked in it, so many were
    cancelled; a payment that was refunded later stands in both columns. The tables leave columns of zeros out.

    \b
      balansity stats --period yesterday
      balansity stats --period last-month --csv --by-day > month.csv
    """  # noqa: D301 - click reads the \b as "keep these lines"
    zone = settings.current().time_zone
    if named and (first or last):
        raise click.UsageError("Say --period, or --from and --to.")
    if by_day and not as_csv:
        raise click.UsageError("--by-day goes with --csv.")
    if named:
        period = preset(named, zone, datetime.now(zone))
    else:
        period = choose_period(first and first.date(), last and last.date(), zone)
    skipped = _recount(zone.key) if recount else []
    with transaction() as conn:
        sections = collect(conn, period)
    if as_json:
        totals = {name: section.totals() for name, section in sections.items()}
        together = {name: sums(section) for name, section in sections.items()}
        show_json({"from": period.first, "to": period.last, **totals, "total": together})
    elif as_csv:
        sys.stdout.write(statistics_csv(sections, by_day=by_day))
    else:
        _print_tables(sections, period)
    show_skipped(skipped)
    sys.exit(bool(skipped))


def _recount(zone: str) -> list[Skipped]:
    """Put every kept event on its day; gives those that could not be."""

    def recount(conn: Connection, keys: list[bytes]) -> dict[str, int]:
        return {"moved": queries.analytics.recount(conn, keys=keys, zone=zone)}

    with progress("events") as told:
        done = work_through(transaction, "event", queries.analytics.kept, recount, named=hexadecimal, told=told)
    with transaction() as conn:
        queries.analytics.drop_empty_days(conn)
    return done.skipped


def _print_tables(sections: dict[str, Section], period: Period) -> None:
    say(f"From {period.first} to {period.last}, {period.zone.key}")
    for name, section in sections.items():
        groups = section.totals()
        together = sums(section) if len(groups) > 1 else []
        rows = [{column: _shown(row[column]) for column in section.columns()} for row in [*groups, *together]]
        show_table(name, rows, least=section.measures[:0:-1])


def _shown(value: Any) -> str:
    return f"{value:,}".replace(",", " ") if not isinstance(value, str) else value
