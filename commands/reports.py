"""`balansity stats`: the clinic's numbers."""

import csv
import json
import sys
from datetime import date, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

import settings
from db.connection import transaction
from db.statistics import COLUMNS, Period, collect
from errors import BalansityError

DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=DAY, help="The first day, as 2026-11-01; default: 30 days up to the last one.")
@click.option("--to", "last", type=DAY, help="The last day, itself included; default: today.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated: one number a line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def stats(first: datetime | None, last: datetime | None, *, as_csv: bool, as_json: bool) -> None:
    """Count check-ups, consultations, revenue, mails and events of a period.

    Days are the clinic's (TIME_ZONE). Everything counts for the day it began on, with what has become of it by now:
    of the check-ups started in the period, so many are completed; of the consultations booked in it, so many were
    cancelled; a payment that was refunded later stands in both columns.
    """
    period = _period(first, last)
    with transaction() as conn:
        sections = collect(conn, period)
    if as_json:
        click.echo(json.dumps({"from": period.first, "to": period.last, **sections}, default=str, ensure_ascii=False))
    elif as_csv:
        _print_csv(sections)
    else:
        _print_tables(sections, period)


def _period(first: datetime | None, last: datetime | None) -> Period:
    zone = settings.current().time_zone
    last_day = last.date() if last else datetime.now(zone).date()
    first_day = first.date() if first else last_day - timedelta(days=29)
    if first_day > last_day:
        raise BalansityError(f"--from {first_day} is later than --to {last_day}: swap them.")
    return Period(first_day, last_day, zone)


def _print_csv(sections: dict[str, list[dict[str, Any]]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["section", "group", "measure", "value"])
    for name, rows in sections.items():
        for row in rows:
            words = [str(value) for value in row.values() if isinstance(value, str)]
            writer.writerows(
                [name, " ".join(words), measure, value] for measure, value in row.items() if not isinstance(value, str)
            )


def _print_tables(sections: dict[str, list[dict[str, Any]]], period: Period) -> None:
    console = Console()
    console.print(f"From {_shown(period.first)} to {_shown(period.last)}, {period.zone.key}")
    for name, rows in sections.items():
        table = Table(title=name.replace("_", " "), title_justify="left", title_style="bold")
        for column in COLUMNS[name]:
            table.add_column(column.replace("_", " "), justify="left" if column in {"type", "template"} else "right")
        for row in rows:
            table.add_row(*(_shown(value) for value in row.values()))
        console.print(table if rows else f"[dim]{name.replace('_', ' ')}: nothing yet[/dim]")


def _shown(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:,}".replace(",", " ") if not isinstance(value, str) else value
