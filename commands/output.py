"""What commands print: tables and times for people, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

import settings
from db.batches import Skipped
from discretion import told, told_json
from errors import BalansityError
from zones import clock_time

HIDDEN = "(balansity reveal ID)"  # in the place of what a person sees only for a reason

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def show_json(value: object) -> None:
    """Print JSON: on one line for programs, indented where a person looks at it in a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(told_json(json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)))


def say(text: str, *, err: bool = False) -> None:
    """Print a line."""
    click.echo(told(text), err=err)


class Terminal(Console):
    """A console that obeys our styles and nothing that stands in data."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(told(segment.text), segment.style)


def show_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows by their columns' names; what tells them apart, in the first column, is shown whole."""
    if not rows:
        say(f"{title}: none")
        return
    table = Table(title=title, title_justify="left")
    for number, (column, value) in enumerate(rows[0].items()):
        justify: JustifyMethod = "right" if isinstance(value, int) else "left"
        table.add_column(column.replace("_", " "), justify=justify, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Terminal().print(table)


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar for who watches a terminal, while it lasts; to be told of each batch, how many rows it had."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Terminal(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=total)
        yield lambda rows: bar.advance(task, rows)


def show_skipped(skipped: Sequence[Skipped]) -> None:
    """Name the rows that could not be done, with the database's words."""
    for each in skipped:
        say(f"Skipped: {each.told()}", err=True)


def moment(at: datetime) -> str:
    """A time as people read it, by the clinic's clocks."""
    return clock_time(at, settings.current().time_zone)


def message_id_of(text: str) -> str:
    """A message's id as a person gave it."""
    try:
        return str(UUID(text))
    except ValueError:
        raise BalansityError(f"{text!r} is no message id: it looks like 3f2b6c1e-….") from None


def _cell(value: object) -> Text:
    """A value in its own words, whatever marks they hold; a `Text` brings its colours along."""
    if isinstance(value, Text):
        return value
    if isinstance(value, datetime):
        return Text(moment(value))
    return Text("" if value is None else str(value))


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
