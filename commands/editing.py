"""A message with other arguments: some set on the command line, or all of them in an editor."""

import json
from collections.abc import Mapping
from typing import Any

import click

from broker import broker
from commands.output import say
from db.database import transaction
from desk import editing, revealing
from desk.decision import Decision
from errors import BalansityError


def edit(message_id: str, changes: Mapping[str, Any], decision: Decision, *, in_editor: bool) -> None:
    """Send a dead letter back to work with these arguments changed, or with what a person makes of all of them.

    Raises:
        BalansityError: its arguments cannot be read, or it is refused.
    """
    with transaction() as conn:
        said = revealing.message(conn, message_id, decision) if in_editor else broker.vault.opened(conn, message_id)
    arguments = _arguments(message_id, said) | dict(changes)
    if in_editor:
        arguments = _written(arguments)
    with transaction() as conn:
        copied = editing.edit(conn, message_id, arguments, decision)
    say(f"{message_id}: sent back to work. What it was is kept as {copied}.")


def _arguments(message_id: str, said: Any) -> dict[str, Any]:
    if not isinstance(said, dict) or not isinstance(said.get("kwargs"), dict):
        raise BalansityError(f"Message {message_id} has no arguments by their names: discard it, and send another.")
    return dict(said["kwargs"])


def _written(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What a person makes of them; nothing is done where they leave the editor without saving."""
    text = click.edit(json.dumps(arguments, ensure_ascii=False, indent=2), extension=".json")
    if text is None:
        raise click.Abort
    try:
        written = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise BalansityError(f"That is no JSON, nothing was done: {error}") from None
    if not isinstance(written, dict):
        raise BalansityError('The arguments must be a JSON object, {"name": value}; nothing was done.')
    return written
