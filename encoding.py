"""How a message is written on its way into the database, and which argument keeps one out."""

import json
import re
from collections.abc import Iterable
from typing import Any

from errors import InvalidMessage

LARGEST_MESSAGE = 1_000_000  # bytes; a message carries ids, not files
ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # made once: that takes as long as encoding
BETWEEN = "\x1e"  # messages that are enqueued together; JSON escapes it
ESCAPED_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def encoded(message: Any) -> str:
    """A message as JSON.

    Raises:
        InvalidMessage: JSON cannot carry an argument, or the message is too large; it says which.
    """
    try:
        written: str = ENCODE(vars(message))
    except (TypeError, ValueError) as error:
        name = _unfit(message) or "it"
        raise InvalidMessage(f"Message for {message.actor_name}: JSON cannot carry {name}: {error}.") from None
    if len(written) > LARGEST_MESSAGE:
        raise InvalidMessage(
            f"Message for {message.actor_name} has {len(written)} bytes, more than {LARGEST_MESSAGE}, most of them in "
            f"{_largest(message)}: send an id."
        )
    return written


def refused(messages: Iterable[Any], why: str) -> InvalidMessage:
    """The error for messages that PostgreSQL did not take; it names the argument and not its value."""
    for message in messages:
        if name := _unfit(message):
            return InvalidMessage(f"Message for {message.actor_name}: PostgreSQL cannot store {name}: {why}")
    return InvalidMessage(f"PostgreSQL cannot store this message: {why}")


def _unfit(message: Any) -> str | None:
    return next((name for name, value in _arguments(message) if not _fits(value)), None)


def _largest(message: Any) -> str:
    return max(_arguments(message), key=lambda named: len(json.dumps(named[1], default=str)))[0]


def _arguments(message: Any) -> list[tuple[str, Any]]:
    numbered = [(f"argument {number}", value) for number, value in enumerate(message.args, start=1)]
    return numbered + [(f"argument {name!r}", value) for name, value in message.kwargs.items()]


def _fits(value: Any) -> bool:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError):
        return False
    return not ESCAPED_NUL.search(text)
