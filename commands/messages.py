"""See what the broker holds, and decide about dead letters."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import click

from commands.ids import find_id
from commands.output import (
    HIDDEN,
    counted,
    json_option,
    moment,
    progress,
    say,
    say_rest,
    show_json,
    show_skipped,
    so_many,
)
from commands.selecting import chosen_filter, filter_options
from db import clock, queries
from db.batches import Batches, Done, work_through
from db.connection import Connection
from db.database import transaction
from desk import messages as desk
from desk.control import Named

GIVEN_UP_AT_ONCE = 5_000  # messages, a transaction


@click.command()
@click.argument("message_id", required=False)
@click.option("--actor", help="Only those of this actor.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most so many, the newest first."
)
@click.option(
    "--give-up",
    metavar="ACTOR",
    help="First make dead letters of what waits for an actor, or a key, that no worker has.",
)
@json_option
def dead(*, message_id: str | None, actor: str | None, limit: int, give_up: str | None, as_json: bool) -> None:
    """List dead letters with their reasons; with MESSAGE_ID, or its first letters, show one whole.

    Of an encrypted one the names of its arguments and the kind of its error are shown: `balansity reveal` tells more.
    """
    while give_up and _give_up(give_up):
        pass
    with transaction() as conn:
        if message_id:
            dead_letter = queries.messages.show_dead(conn, id=_dead_id(conn, message_id))._asdict()
            dead_letter["message"] = _decoded(dead_letter["message"])
            show_json([dead_letter if as_json else dead_letter | {"died_at": moment(dead_letter["died_at"])}])
            return
        dead_letters = [row._asdict() for row in queries.messages.list_dead(conn, actor=actor, limit=limit)]
        total = counted(dead_letters, limit, partial(queries.messages.count_dead, conn, actor=actor))
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


@click.command()
@click.argument("message_ids", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="All dead letters.")
@filter_options
def redrive(*, message_ids: tuple[str, ...], all_: bool, **options: Any) -> None:
    """Send dead letters back to work with a clean record of retries; the first letters of an id do.

    \b
      balansity redrive --failure 3f2b6c1e      one kind of failure alone
      balansity redrive --actor send_email --since 2h

    Cancelled messages go back by their ids.
    """  # noqa: D301 - click reads the \b as "keep these lines"
    if (bool(message_ids), any(options.values()), all_).count(True) != 1:
        raise click.UsageError("Name message ids, or say which by --actor, --failure and the like, or --all.")
    done = _redriven(message_ids) if message_ids else _found_redriven(options)
    show_skipped(done.skipped)
    say(f"{done.counts['redriven']} sent back to work.")
    sys.exit(bool(done.skipped))


def _redriven(given: Sequence[str]) -> Done:
    """Those that are named; where one of them is not there, none."""
    with transaction() as conn:
        message_ids = dict.fromkeys(_dead_id(conn, each) for each in given)
    batches = Batches(transaction, "dead letter", _redrive)
    batches.take(Named(each) for each in message_ids)
    return batches.done


def _found_redriven(options: dict[str, Any]) -> Done:
    """All that are dead by now and that a filter finds: whoever dies again meanwhile stays dead."""
    with transaction() as conn:
        which = replace(chosen_filter(conn, **options), state="dead")
        if which.before is None:
            which = replace(which, before=clock.now(conn))
        total = desk.count(conn, which)
    page = partial(queries.messages.page_found, filter=which.json())
    with progress("dead letters", total) as told:
        return work_through(transaction, "dead letter", page, _redrive, told=told)


def _redrive(conn: Connection, message_ids: list[str]) -> dict[str, int]:
    return {"redriven": queries.messages.redrive(conn, ids=message_ids)}


def _give_up(actor: str) -> int:
    """Give up a batch of what waits for an actor; returns how many there were."""
    with transaction() as conn:
        return int(queries.messages.give_up_waiting(conn, actor=actor, limit=GIVEN_UP_AT_ONCE))


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
