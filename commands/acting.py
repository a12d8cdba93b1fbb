"""What every command that acts asks of a person: why. It is kept with their name."""

import sys
from getpass import getuser

import click

from desk.decision import Decision


def asked_for(reason: str | None) -> str:
    """The reason that was given, or that is given now; where nobody can be asked, --reason has to say it."""
    if reason is None and sys.stdin.isatty():
        reason = click.prompt("Why", err=True)
    if not (reason or "").strip():
        raise click.UsageError("Say --reason: why, in a few words. It is kept with your name.")
    return str(reason)


reason_option = click.option(
    "--reason", callback=lambda _ctx, _param, given: asked_for(given), help="Why; it is kept with your name."
)


def decision(reason: str) -> Decision:
    """Of whoever is at this terminal."""
    return Decision(getuser(), "shell", reason)
