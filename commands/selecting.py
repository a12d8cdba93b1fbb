"""How a person says which messages: by ids, or by where they are, what they are for and how they failed."""

import json
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import click

from commands.ids import find_id
from commands.output import confirmed, say, show_table
from commands.when import When
from db import queries
from db.connection import Connection
from desk import messages as desk
from desk.control import Chosen
from desk.messages import Filter
from messaging.tracing import is_trace

SAMPLE = 5  # messages that are shown before a person decides about all


class Argument(click.ParamType[tuple[str, Any]]):
    """An argument and its value, `name=value`; a value that is JSON counts as that."""

    name = "name=value"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> tuple[str, Any]:
        name, equals, given = value.partition("=")
        if not equals:
            self.fail(f"{value!r} must be name=value, for example appointment_id=3f2b6c1e-….")
        try:
            return name, json.loads(given)
        except (RecursionError, ValueError):
            return name, given


class Trace(click.ParamType[str]):
    """A trace's name: 32 hexadecimal letters, as logs and listings show it."""

    name = "trace"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        letters: str = value.strip().lower().replace("-", "")
        if not is_trace(letters):
            self.fail(f"{value!r} must be 32 hexadecimal letters, as a log line says after trace=.")
        return letters


OPTIONS = (
    click.option("--queue", help="Those of this queue."),
    click.option("--actor", help="Those for this actor."),
    click.option(
        "--failure", "fingerprint", metavar="ID", help="Those that failed so; `balansity failures` names the kinds."
    ),
    click.option("--trace", type=Trace(), help="Those that came of one cause, by its trace."),
    click.option("--since", type=When(), help="Changed since then: 2h (ago), or an ISO time."),
    click.option("--before", type=When(), help="Changed before then."),
    click.option(
        "--where", "arguments", type=Argument(), multiple=True, help="Called with this, for example user_id=…."
    ),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that make a `Filter`."""
    return reduce(lambda made, option: option(made), reversed(OPTIONS), command)


def chosen_filter(
    conn: Connection, *, fingerprint: str | None, arguments: tuple[tuple[str, Any], ...], **which: Any
) -> Filter:
    """The filter that these options make.

    Raises:
        BalansityError: there is no such kind of failure.
    """
    if fingerprint is not None:
        failed = desk.kind(conn, fingerprint)
        which |= {"actor": failed.actor or "", "kind": failed.kind}
    return Filter(arguments=dict(arguments) or None, **which)


def chosen(conn: Connection, given: tuple[str, ...], *, dead: bool = False, **options: Any) -> Chosen:
    """The messages that are named, of all or of the dead ones; or those that a filter finds: one has to be said.

    Raises:
        BalansityError: one of the ids names no such message, or several.
    """
    if bool(given) == any(options.values()):
        raise click.UsageError(
            "Name message ids, or say which by --queue, --actor, --failure, --trace, --since, --before, --where."
        )
    if not given:
        return Chosen(which=chosen_filter(conn, **options))
    what, listing = ("dead letter", "balansity dead") if dead else ("message", "balansity messages")
    find = partial(queries.messages.dead_ids if dead else queries.messages.ids, conn)
    return Chosen(ids=list(dict.fromkeys(find_id(each, what, listing, find) for each in given)))


def ask(conn: Connection, meant: Chosen, states: tuple[str, ...], verb: str, *, yes: bool) -> int:
    """Show how many there are and a sample, and go on only if a person says so; gives how many."""
    if meant.which is None:
        return len(meant.ids)
    filters = list(meant.filters(states))
    total = sum(desk.count(conn, each) for each in filters)
    if total:
        sample = [row for each in filters for row in desk.find(conn, each, SAMPLE)][:SAMPLE]
        shown = [{name: row[name] for name in ("id", "state", "actor", "due_at")} for row in sample]
        show_table(f"{total} messages, of which {len(shown)}", shown)
        confirmed(f"{verb} {total}?", yes=yes)
    else:
        say("There is no such message.", err=True)
    return total
