"""`balansity redrive`, `cancel` and `discard`: what a person decides about messages."""

import sys
from typing import Any

import click

from commands import editing
from commands.acting import decision, reason_option
from commands.output import progress, say, show_skipped
from commands.selecting import Argument, ask, chosen, filter_options
from db.batches import Done
from db.database import transaction
from desk import control
from desk.control import Chosen
from desk.messages import Filter

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.argument("message_ids", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="All dead letters.")
@click.option("--set", "changes", type=Argument(), multiple=True, help="Of one message: call it with this instead.")
@click.option("--edit", "in_editor", is_flag=True, help="Of one message: change its arguments in your editor first.")
@filter_options
@reason_option
@yes_option
def redrive(  # noqa: PLR0913 - a parameter an option
    *,
    message_ids: tuple[str, ...],
    all_: bool,
    changes: tuple[tuple[str, Any], ...],
    in_editor: bool,
    reason: str,
    yes: bool,
    **options: Any,
) -> None:
    """Send dead letters back to work with a clean record of retries; the first letters of an id do.

    \b
      balansity redrive 3f2b6c1e --reason 'the provider is back'
      balansity redrive --failure 1b2c3d4e --reason 'mended in 1.4'     one kind of failure alone
      balansity redrive 3f2b6c1e --set to=anna@example.com --reason 'she mistyped it'

    Cancelled messages go back by their ids. What an edited message said before is kept as a cancelled one.
    """  # noqa: D301 - click reads the \b as "keep these lines"
    if changes or in_editor:
        if len(message_ids) != 1:
            raise click.UsageError("Name the one message to edit.")
        with transaction() as conn:
            [message_id] = chosen(conn, message_ids, dead=True, **options).ids
        editing.edit(message_id, dict(changes), decision(reason), in_editor=in_editor)
        return
    if all_ and (message_ids or any(options.values())):
        raise click.UsageError("Say --all, or which ones, not both.")
    with transaction() as conn:
        meant = Chosen(which=Filter()) if all_ else chosen(conn, message_ids, dead=True, **options)
        total = ask(conn, meant, control.DEAD, "Send back", yes=yes)
    with progress("dead letters", total) as told:
        done = control.redrive(meant, decision(reason), told)
    _conclude(done, f"{done.counts['redriven']} sent back to work.", done.counts["redriven"])


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
    What still waits in pgmq is found once it has come over: while the queue is paused, it comes and nothing runs.
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
