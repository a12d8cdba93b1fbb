"""`balansity queues`: how deep and how late they are, and a person's hand on them."""

from datetime import UTC, datetime
from typing import Any

import click

from commands.acting import decision, reason_option
from commands.output import json_option, moment, say, show_json, show_table
from commands.when import Ahead, Span
from db import overview
from db.database import transaction
from desk import control

LEAST = ("set_aside", "p50_seconds", "done_an_hour", "p95_seconds", "delayed", "dead")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def queues(ctx: click.Context, *, as_json: bool) -> None:
    """Every queue with what waits, since when, and whether it is paused; pause, resume."""
    if ctx.invoked_subcommand is None:
        _list(as_json=as_json)


def _list(*, as_json: bool) -> None:
    with transaction() as conn:
        rows, pauses = overview.queues(conn), {each.queue: each for each in control.pauses(conn)}
    if as_json:
        show_json([row | {"pause": vars(pauses[row["queue"]]) if row["queue"] in pauses else None} for row in rows])
        return
    show_table("Queues", [row | {"paused": _paused(pauses.get(row["queue"]))} for row in rows], least=LEAST)
    for each in pauses.values():
        say(f"{each}.")


def _paused(pause: control.Pause | None) -> Any:
    return pause and (pause.until or "yes")


@queues.command()
@click.argument("name")
@click.option("--for", "span", type=Span(), help="For so long: 90m, 1h, 2d; then it goes on by itself.")
@click.option("--until", type=Ahead(), help="Until then: 18:30 (the next one), or a day and time.")
@reason_option
def pause(name: str, *, span: datetime | None, until: datetime | None, reason: str) -> None:
    """Claim nothing more of the queue NAME: what runs goes on, what comes waits, other queues are not touched.

    \b
      balansity queues pause emails --for 1h --reason 'the provider asks for an hour'
    """  # noqa: D301 - click reads the \b as "keep these lines"
    if span and until:
        raise click.UsageError("Say --for or --until, not both.")
    until = span or until
    if until and until <= datetime.now(UTC):
        raise click.UsageError(f"--until {moment(until)} is over.")
    with transaction() as conn:
        control.pause(conn, name, decision(reason), until)
    say(f"{name}: paused until {moment(until) if until else f'`balansity queues resume {name}`'}")


@queues.command()
@click.argument("name")
@reason_option
def resume(name: str, *, reason: str) -> None:
    """Let the queue NAME go on at once."""
    with transaction() as conn:
        control.resume(conn, name, decision(reason))
    say(f"{name}: goes on")
