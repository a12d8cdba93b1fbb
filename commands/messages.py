"""`balansity dead`: dead letters with their reasons."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import click

from commands.acting import asked_for, decision
from commands.ids import find_id
from commands.output import (
    HIDDEN,
    counted,
    json_option,
    moment,
    say,
    say_rest,
    show_json,
    so_many,
)
from commands.when import When
from db import queries
from db.connection import Connection
from db.database import transaction
from desk import control


@click.command()
@click.argument("message_id", required=False)
@click.option("--actor", help="Only those of this actor.")
@click.option("--since", type=When(), help="Died since then: 2h (ago), or an ISO time.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most so many, the newest first."
)
@click.option(
    "--give-up",
    metavar="ACTOR",
    help="First make dead letters of what waits for an actor, or a key, that no worker has.",
)
@click.option("--reason", help="With --give-up: why; it is kept with your name.")
@json_option
def dead(  # noqa: PLR0913 - a parameter an option
    *,
    message_id: str | None,
    actor: str | None,
    since: datetime | None,
    limit: int,
    give_up: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """List dead letters with their reasons; with MESSAGE_ID, or its first letters, show one whole.

    Of an encrypted one the names of its arguments and the kind of its error are shown: `balansity reveal` tells more.
    """
    if message_id and (actor or since):
        raise click.UsageError("Say MESSAGE_ID, or by --actor and --since which ones, not both.")
    if give_up:
        given_up = control.give_up(give_up, decision(asked_for(reason)))
        say(f"{given_up} given up.", err=True)
    with transaction() as conn:
        if message_id:
            dead_letter = queries.messages.show_dead(conn, id=_dead_id(conn, message_id))._asdict()
            dead_letter["message"] = _decoded(dead_letter["message"])
            show_json([dead_letter if as_json else dead_letter | {"died_at": moment(dead_letter["died_at"])}])
            return
        dead_letters = [
            row._asdict() for row in queries.messages.list_dead(conn, actor=actor, since=since, limit=limit)
        ]
        total = counted(dead_letters, limit, partial(queries.messages.count_dead, conn, actor=actor, since=since))
    if as_json:
        show_json(dead_letters)
    else:
        _list(dead_letters, total)
    say_rest(len(dead_letters), total, "dead letters")


def _list(dead_letters: Sequence[dict[str, Any]], total: int) -> None:
    for dead_letter in dead_letters:
        say(f"{dead_letter['message_id']}  {moment(dead_letter['died_at'])}")
        who = dead_letter["actor"] or "no actor"
        say(f"    {who}, after {dead_letter['attempts']} attempts: {_reason(dead_letter['error'])}")
    remedy = " Whole: balansity dead MESSAGE_ID. Back to work: balansity redrive MESSAGE_ID" if dead_letters else ""
    say(f"{so_many(len(dead_letters), total)} dead letters.{remedy}")


def _dead_id(conn: Connection, given: str) -> str:
    return find_id(given, "dead letter", "balansity dead", partial(queries.messages.dead_ids, conn))


def _decoded(message: str) -> Any:
    """The message, or its text as it is where it is nested too deeply or holds too large a number."""
    try:
        decoded = json.loads(message)
        return json.loads(message, object_hook=_veiled) if "sealed" in decoded else decoded
    except (RecursionError, TypeError, ValueError):
        return message


def _veiled(part: dict[str, Any]) -> dict[str, Any]:
    """A part of an encrypted message with the way to read it, which the ciphertext is not."""
    return part | {"sealed": HIDDEN} if "sealed" in part else part


def _reason(error: str) -> str:
    """The line that says what was wrong: the first one after a traceback's frames, which are indented."""
    after = error[error.rfind('\n  File "') + 1 :].splitlines()
    return next((line for line in after if line.strip() and not line.startswith(" ")), "no reason given")
