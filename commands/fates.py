"""`balansity cancel` and `balansity discard`: a person's last word about messages."""

import sys
from typing import Any

import click

from commands.acting import decision, reason_option
from commands.output import progress, say, show_skipped
from commands.selecting import ask, chosen, filter_options
from db.batches import Done
from db.database import transaction
from desk import control

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.argument("message_ids", nargs=-1)
@click.option("--state", type=click.Choice(control.UNENDED), help="Only those in this state.")
@filter_options
@reason_option
@yes_option
def cancel(*, message_ids: tuple[str, ...], reason: str, yes: bool, **options: Any) -> None:
    """Cancel messages that wait, are delayed or set aside, and end those that run; the first letters of an id do.

    \b
      balansity cancel --queue emails --since 10m --reason 'sent by mistake'

    What is cancelled is kept: `balansity messages --state cancelled`, `balansity redrive ID`. A worker ends a run
    within seconds, unless it waits for what cannot be interrupted; what a provider has been told stays told.
    """  # noqa: D301 - click reads the \b as "keep these lines"
    with transaction() as conn:
        meant = chosen(conn, message_ids, **options)
        total = ask(conn, meant, control.UNENDED, "Cancel", yes=yes)
    with progress("messages", total) as told:
        done = control.cancel(meant, decision(reason), told)
    running = f", {done.counts['asked']} running ones asked to end" if done.counts["asked"] else ""
    _conclude(done, f"{done.counts['cancelled']} cancelled{running}.", done.counts["cancelled"] + done.counts["asked"])


@click.command()
@click.argument("message_ids", nargs=-1)
@click.option("--state", type=click.Choice(control.GIVEN_UP), help="Only those in this state.")
@filter_options
@reason_option
@yes_option
def discard(*, message_ids: tuple[str, ...], reason: str, yes: bool, **options: Any) -> None:
    """Delete dead letters and cancelled messages for good; the operators' log keeps that, and why."""
    with transaction() as conn:
        meant = chosen(conn, message_ids, **options)
        total = ask(conn, meant, control.GIVEN_UP, "Delete for good", yes=yes)
    with progress("messages", total) as told:
        done = control.discard(meant, decision(reason), told)
    _conclude(done, f"{done.counts['discarded']} discarded.", done.counts["discarded"])


def _conclude(done: Done, said: str, count: int) -> None:
    """Say what was done; where that is nothing, or not all, with exit code 1."""
    show_skipped(done.skipped)
    say(said)
    sys.exit(bool(done.skipped) or not count)
