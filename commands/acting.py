"""What every command that acts asks of a person: why. It is kept with their name."""

import sys
from getpass import getuser

import click

from desk.decision import Decision


def _asked_for(_ctx: click.Context, _param: click.Parameter, reason: str | None) -> str:
    if reason is None and sys.stdin.isatty():
        reason = click.prompt("Why", err=True)
    if not (reason or "").strip():
        raise click.UsageError("Say --reason: why, in a few words. It is kept with your name.")
    return str(reason)


reason_option = click.option("--reason", callback=_asked_for, help="Why; it is kept with your name.")


def decision(reason: str) -> Decision:
    """Of whoever is at this terminal."""
    return Decision(getuser(), "shell", reason)
