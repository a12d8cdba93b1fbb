"""`balansity running`: what workers are doing, and where one hangs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from commands.output import json_option, say, show_json, show_table
from db.database import transaction
from desk import running as desk


@click.command()
@click.option(
    "--stacks",
    "named",
    metavar="ID",
    help="Where the threads of a worker stand: its number, or a message that it runs.",
)
@json_option
def running(*, named: str | None, as_json: bool) -> None:
    """Every message that a worker holds, longest first, and the sessions that wait for others' locks."""
    if named:
        _tell_stacks(named, as_json=as_json)
        return
    with transaction() as conn:
        runs, blocked, sees_all = desk.running(conn), desk.blocked(conn), desk.sees_all(conn)
    if as_json:
        show_json({"running": [asdict(each) for each in runs], "blocked": blocked})
        return
    show_table("Running", [_listed(each) for each in runs], least=("attempt", "queue", "process", "limit"))
    if blocked:
        show_table("Sessions that wait for a lock", blocked, least=("since", "waits_for"))
    if not sees_all:
        say("Sessions of other roles are not seen: GRANT pg_read_all_stats to this one to see them.")
    if runs:
        say(f"Where one stands: balansity running --stacks {runs[0].id[:8]}")


def _listed(run: desk.Run) -> dict[str, Any]:
    seconds = (datetime.now(UTC) - run.since).total_seconds()
    return {
        "message": run.id[:8],
        "actor": run.actor,
        "seconds": round(seconds),
        "limit": round(run.limit_seconds),
        "worker": run.worker,
        "process": f"{run.host}:{run.pid}" if run.host else "gone",
        "attempt": run.attempt,
        "queue": run.queue,
        "note": "to be ended" if run.is_cancelled else None,
    }


def _tell_stacks(named: str, *, as_json: bool) -> None:
    with transaction() as conn:
        worker = desk.worker_of(conn, named)
    stacks = desk.stacks(worker)
    if as_json:
        show_json({"worker": worker, "threads": stacks})
        return
    say(f"Worker {worker}, the innermost call last:")
    for stack in sorted(stacks, key=lambda each: each["message"] is None):
        _tell_stack(stack["thread"], stack["message"], stack["frames"])


def _tell_stack(thread: str, message: str | None, frames: Sequence[str]) -> None:
    say(f"\n{thread}" + (f", message {message}" if message else ""))
    for frame in frames:
        say(f"    {frame}")
