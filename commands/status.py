"""`balansity status`: what waits, runs and failed, who lives, who is away; once, or again and again."""

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
import psycopg2
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from checks import looks
from commands.output import Terminal, json_option, moment, say, show_json, table_parts
from db import overview
from db.database import single_statements
from db.overview import Row
from db.trouble import passes
from desk import watching
from desk.watching import Look, Watch
from errors import DatabaseError
from log import first_line

EVERY_SECONDS = 2.0
LEAST = {  # of each table's columns, where there is no room
    "queues": ("set_aside", "p50_seconds", "done_an_hour", "p95_seconds", "delayed", "dead"),
    "processes": ("pid", "host"),
    "providers": ("next_probe_at", "since"),
}


@click.command()
@click.option("--watch", is_flag=True, help="Go on looking, every 2 seconds, until Ctrl-C; in a pipe, a line a look.")
@json_option
def status(*, watch: bool, as_json: bool) -> None:
    """Show what waits, runs and failed, queue by queue, which workers live, and which providers are away."""
    if watch:
        try:
            if sys.stdout.isatty() and not as_json:
                _watch()
            else:
                _repeat(as_json=as_json)
        except KeyboardInterrupt:
            return
    else:
        _show(_look(), as_json=as_json)


def _look() -> Look:
    with single_statements() as conn:
        queues, pgmq, providers = overview.queues(conn), overview.pgmq(conn), overview.providers(conn)
        pauses, findings = watching.paused(conn), watching.found(conn)
        living = overview.living(conn)
        workers = [{**row, "lives": row["worker"] in living.workers} for row in overview.workers(conn)]
        schedulers = [{**row, "lives": row["scheduler"] in living.schedulers} for row in overview.schedulers(conn)]
    return Look(queues, pgmq, workers, schedulers, providers, pauses, findings)


def _show(look: Look, *, as_json: bool) -> None:
    if as_json:
        show_json(asdict(look))
        return
    console = Terminal()
    for part in _parts(look, console.width):
        if isinstance(part, str):
            say(part)
        else:
            console.print(part)


def _parts(look: Look, width: int) -> Iterator[str | RenderableType]:
    away = "Providers that were ever away or unheard of"
    yield from _verdict(look)
    yield from table_parts("Broker", look.queues, width, least=LEAST["queues"])
    yield from table_parts("pgmq, not yet bridged", look.pgmq, width)
    if look.pauses:
        yield from table_parts("Paused", look.pauses, width)
    yield from table_parts("Workers", look.workers, width, least=LEAST["processes"])
    yield from table_parts("Schedulers", look.schedulers, width, least=LEAST["processes"])
    yield from table_parts(away, [_in_short(each) for each in look.providers], width, least=LEAST["providers"])
    for provider in look.providers:
        if provider["reason"]:
            yield "{provider}: {reason} (noticed by {noticed_by}; {probes} probes since)".format(**provider)


def _verdict(look: Look) -> Iterator[str]:
    """Whether all is on time, else what is not and what to do, in the overview's words."""
    calling = [finding for finding in look.findings if finding["calls"]]
    yield f"✗ Needs attention: {len(calling)}" if calling else "✓ Everything is on time."
    listed = sorted(look.findings, key=lambda finding: not finding["calls"])
    for finding, more in looks.abridged(listed, lambda finding: str(finding["check"])):
        yield f"{'✗' if finding['calls'] else '!'} {finding['what']}"
        yield f"→ {finding['remedy']}"
        if more:
            yield f"And {more} more of this kind: --json has all."


def _in_short(provider: Row) -> dict[str, Any]:
    """A provider as a table can show it; its state's colour says whether a person has to look at it."""
    shown = {name: provider[name] for name in ("provider", "state", "since", "next_probe_at", "held")}
    return shown | {"state": Text(provider["state"], "red" if provider["reason"] else "green")}


def _watch() -> None:
    """Draw each look over the one before."""
    watch, console = Watch(), Terminal()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            drawn = _drawn(watch, console.width)
            live.update(drawn, refresh=True)
            time.sleep(EVERY_SECONDS)


def _drawn(watch: Watch, width: int) -> RenderableType:
    look = _tried(watch)
    parts = [look] if isinstance(look, str) else _parts(look, width)
    head = f"{moment(datetime.now(UTC))}, every {EVERY_SECONDS:g} s until Ctrl-C"
    return Group(head, *(Text(part, overflow="ellipsis") if isinstance(part, str) else part for part in parts))


def _repeat(*, as_json: bool) -> None:
    """Print a line a look, for a pipe or a file."""
    watch = Watch()
    while True:
        look = _tried(watch)
        if not as_json:
            say(f"{moment(datetime.now(UTC))}  {look if isinstance(look, str) else _in_a_line(look)}")
        elif isinstance(look, str):
            show_json({"error": look})
        else:
            show_json(asdict(look))
        sys.stdout.flush()
        time.sleep(EVERY_SECONDS)


def _tried(watch: Watch) -> Look | str:
    """A look, or why there is none this time: whoever watches wants to see when the database is back."""
    try:
        return watch.look()
    except DatabaseError as error:
        return first_line(error)
    except psycopg2.Error as error:
        if not passes(error):
            raise
        return first_line(error)


def _in_a_line(look: Look) -> str:
    sums = {name: sum(row[name] for row in look.queues) for name in ("waiting", "running", "delayed", "dead")}
    oldest = max((row["oldest_seconds"] for row in look.queues), default=0)
    away = ", ".join(each["provider"] for each in look.providers if each["reason"])
    counts = [f"{name} {count}" for name, count in sums.items()]
    processes = [
        f"{what} {_living(rows)}" for what, rows in (("workers", look.workers), ("schedulers", look.schedulers))
    ]
    calling = [f"{each['check']} {each['subject']}".strip() for each in look.findings if each["calls"]]
    verdict = f"needs attention: {', '.join(calling)}" if calling else "everything is on time"
    there = f"away: {away}" if away else "all providers there"
    return "  ".join([*counts, f"oldest {oldest} s", *processes, there, verdict])


def _living(rows: list[Row]) -> str:
    """How many live of how many; of who is not known to be dead, that is believed."""
    return f"{sum(row['lives'] is not False for row in rows)} of {len(rows)}"
