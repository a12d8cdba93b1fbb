"""What commands print: tables and times for people, JSON for programs."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, OverflowMethod, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

import settings
from db.batches import Skipped
from discretion import told, told_json
from zones import clock_time

GAP = 2  # spaces between columns, and before the first
LONGEST_WORD = 36  # letters that a column makes room for: a UUID
FIGURE = re.compile(r"-?[\d ]*\d(\.\d+)?")  # 1 234 567.89

MOST_COUNTED = 10_001  # rows; of more it is said that they are

HIDDEN = "(balansity reveal ID)"  # in the place of what a person sees only for a reason

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def show_json(value: object) -> None:
    """Print JSON: on one line for programs, indented where a person looks at it in a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(told_json(json.dumps(value, default=_plain, ensure_ascii=False, indent=indent)))


def say(text: str, *, err: bool = False) -> None:
    """Print a line."""
    click.echo(told(text), err=err)


def short(path: Path) -> str:
    """`path` as short as it can be typed from here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def confirmed(question: str, *, yes: bool) -> None:
    """Go on only if a person says so; where nobody can be asked, --yes has to say it."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask in: say --yes.")
    click.confirm(question, abort=True, err=True)


class Terminal(Console):
    """A console that obeys our styles and nothing that stands in data, as wide as `COLUMNS` or the terminal says.

    Where output goes elsewhere it is 80 wide, whatever terminal the errors go to.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"width": shutil.get_terminal_size().columns, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(told(segment.text), segment.style)


def show_table(
    title: str, rows: Sequence[Mapping[str, Any]], *, least: Sequence[str] = (), whole: str = "--json"
) -> None:
    """Print rows by their columns' names, in any width and without breaking a word.

    Where there is no room, columns are left out: those that are empty, those of `least` in that order, then from the
    right; the first one, which tells rows apart, stays. They are named with `whole`, which shows everything.
    """
    console = Terminal()
    for part in table_parts(title, rows, console.width, least=least, whole=whole):
        if isinstance(part, str):
            say(part)
        else:
            console.print(part)


def table_parts(
    title: str, rows: Sequence[Mapping[str, Any]], width: int, *, least: Sequence[str] = (), whole: str = "--json"
) -> Iterator[str | RenderableType]:
    """What `show_table` prints: lines, and the table between them."""
    if not rows:
        yield f"{title}: none"
        return
    columns = {name: Column(name, [row[name] for row in rows]) for name in rows[0]}
    fitting = _fitting(columns, least, width - GAP)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for name, room in fitting.items():
        column = columns[name]
        overflow: OverflowMethod = "fold" if column is next(iter(columns.values())) else "ellipsis"
        table.add_column(column.head, width=room, justify="right" if column.is_figures else "left", overflow=overflow)
    for row in zip(*(columns[name].cells for name in fitting), strict=True):
        table.add_row(*row)
    has_times = any(columns[name].has_times for name in fitting)
    yield f"{title}, times in {settings.current().time_zone}" if has_times else title
    yield Padding(table, (0, 0, 0, GAP))
    if left_out := [column.head for name, column in columns.items() if name not in fitting]:
        yield f"Left out for want of room: {', '.join(left_out)}. COLUMNS=200 or {whole} shows all."


class Column:
    """A column as it will be shown, and the room that it needs."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        self.head = name.replace("_", " ")
        self.cells = [_cell(value) for value in values]
        self.has_times = any(isinstance(each, datetime) for value in values for each in _listed(value))
        self.is_empty = not any(cell.plain for cell in self.cells)
        self.is_figures = all(FIGURE.fullmatch(cell.plain) for cell in self.cells if cell.plain)
        texts = [cell.plain for cell in self.cells]
        words = texts if self.is_figures else [word for text in texts for word in text.split()]
        self.widest = max(map(cell_len, (self.head, *(line for text in texts for line in text.splitlines()))))
        self.narrowest = max(map(cell_len, (*self.head.split(), *words)))


def _fitting(columns: Mapping[str, Column], least: Sequence[str], width: int) -> dict[str, int]:
    """The columns that have room, with their widths: their longest word's, then what is spare in equal parts."""
    first, *others = columns
    needed = {name: min(column.narrowest, LONGEST_WORD) for name, column in columns.items()}
    needed[first] = min(columns[first].widest, width)
    empty = [name for name in others if columns[name].is_empty]
    for name in dict.fromkeys([*empty, *least, *reversed(others)]):
        if sum(needed.values()) + GAP * (len(needed) - 1) <= width:
            break
        del needed[name]
    spare = width - sum(needed.values()) - GAP * (len(needed) - 1)
    while spare > 0 and (growing := [name for name in needed if needed[name] < columns[name].widest]):
        for name in growing[:spare]:
            needed[name] += 1
        spare -= len(growing)
    return needed


def counted(rows: Sequence[object], limit: int, count: Callable[[], int]) -> int:
    """How many there are of what `limit` may have cut."""
    return len(rows) if len(rows) < limit else count()


def so_many(shown: int, total: int) -> str:
    """How many are shown, and of how many where these are not all."""
    whole = str(total) if total < MOST_COUNTED else f"more than {MOST_COUNTED - 1}"
    return str(total) if shown >= total else f"{shown} of {whole}"


def say_rest(shown: int, total: int, what: str) -> None:
    """Tell whoever sees a part how to see the rest; beside JSON, too."""
    if shown < total:
        rest = f"--limit {total} lists all" if total < MOST_COUNTED else "--limit lists more"
        say(f"{so_many(shown, total)} {what}: {rest}.", err=True)


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
    """A time in a sentence: by the clinic's clocks, with their zone."""
    return f"{clock_time(at, settings.current().time_zone)} {settings.current().time_zone}"


def _cell(value: object) -> Text:
    """A value in its own words, whatever marks they hold; a `Text` brings its colours along."""
    if isinstance(value, Text):
        return value
    return Text(told(", ".join(map(_words, _listed(value)))))


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _words(value: object) -> str:
    if isinstance(value, datetime):
        return clock_time(value, settings.current().time_zone)
    return "" if value is None else str(value)


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
