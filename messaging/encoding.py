"""How a message is written on its way into the database, and which argument keeps one out."""

import json
import math
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dramatiq

from db.text import is_storable
from errors import InvalidMessage

LARGEST_MESSAGE = 1_000_000  # bytes; a message carries ids, not files
DEEPEST = 800  # levels of nesting; Python reads 1,000, less the calls that it is in by then
ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # made once: that takes as long as encoding
BETWEEN = "\x1e"  # messages that are enqueued together; JSON escapes it
DOUBTFUL = re.compile(r"\\u(0000|d[89a-f])")  # what PostgreSQL may refuse, as JSON writes it
MESSAGE_ID = re.compile(r"[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}")  # as PostgreSQL reads a UUID
QUEUE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]*")  # Dramatiq's own rule
LONGEST_QUEUE_NAME = 46  # bytes; dramatiq.<name>.enqueue must fit into a channel's 63
PRIORITIES = range(-(2**31), 2**31)
LONGEST_DELAY = timedelta(days=100 * 365)


def encoded(message: Any, fields: dict[str, Any] | None = None) -> str:
    """A message as JSON, with its own fields or these.

    Raises:
        InvalidMessage: JSON or PostgreSQL cannot carry part of it, or it is too large; it says which part.
    """
    if problem := unfit_queue(message.queue_name) or _unheard(message):
        raise InvalidMessage(f"Message for {message.actor_name}: {problem}")
    try:
        written: str = ENCODE(fields or vars(message))
    except (RecursionError, TypeError, ValueError) as error:
        _refuse_depth(message)
        raise InvalidMessage(
            f"Message for {message.actor_name}: JSON cannot carry {_unfit(message) or 'it'}: {error}."
        ) from None
    if written.count("[") + written.count("{") > DEEPEST:
        _refuse_depth(message)
    if DOUBTFUL.search(written) and (name := _unfit(message)):
        raise InvalidMessage(
            f"Message for {message.actor_name}: PostgreSQL cannot store {name}: it has a NUL or half a character."
        )
    if len(written) > LARGEST_MESSAGE and (size := _size(message)) > LARGEST_MESSAGE:
        raise InvalidMessage(
            f"Message for {message.actor_name} has {size} bytes, more than {LARGEST_MESSAGE}, most of them in "
            f"{_largest(message)}: send an id."
        )
    return written


def unfit_queue(name: str) -> str | None:
    """Why no worker could serve a queue of that name; None for a sound one."""
    if not QUEUE_NAME.fullmatch(name):
        return f"Queue name {name!r} must be letters, digits, dots, dashes and underscores."
    if len(name) > LONGEST_QUEUE_NAME:
        return f"Queue name {name!r} is too long: {LONGEST_QUEUE_NAME} bytes at most."
    return None


def _unheard(message: Any) -> str | None:
    """What its sender asks for and would not get, or what a server's error would quote."""
    if type(encoder := dramatiq.get_encoder()) is not dramatiq.JSONEncoder:
        return (
            f"dramatiq.set_encoder({type(encoder).__name__}) cannot count here: messages are JSON, which SQL reads and "
            "writes too. Send what JSON carries, and leave the encoder alone."
        )
    if not MESSAGE_ID.fullmatch(message.message_id):
        return f"its id {message.message_id!r} is no UUID."
    if not isinstance(key := message.options.get("key"), str | None) or (key and not is_storable(key)):
        return "its key must be text, without a NUL and half characters."
    if "unique_key" in message.options:
        return "unique_key counts in SQL alone: SELECT dramatiq.send(actor, kwargs, unique_key => …)."
    return None


def milliseconds(delay: float | timedelta | None) -> int:
    """A delay as Dramatiq's users give it, milliseconds or a timedelta, in whole milliseconds.

    Raises:
        InvalidMessage: it is no time, or longer than a century.
    """
    try:
        given = delay if isinstance(delay, timedelta) else timedelta(milliseconds=delay or 0)
    except (OverflowError, TypeError, ValueError):
        raise InvalidMessage(f"A delay must be milliseconds or a timedelta, not {delay!r}.") from None
    if given > LONGEST_DELAY:
        raise InvalidMessage(f"A delay of {delay!r} is too long: {LONGEST_DELAY.days} days at most.")
    return max(0, math.ceil(given / timedelta(milliseconds=1)))


def refuse_twins(messages: Iterable[Any]) -> None:
    """Refuse an id that stands twice: it names one row, which cannot be written twice at once.

    Raises:
        InvalidMessage: naming the message.
    """
    seen = set()
    for message in messages:
        if (message_id := message.message_id.lower()) in seen:
            raise InvalidMessage(
                f"Message for {message.actor_name}: its id {message.message_id} stands twice in one call; "
                "message.copy() with another message_id makes a second message."
            )
        seen.add(message_id)


def rank(message: Any, default: int) -> int:
    """The `broker_priority` of a message, or the default.

    Raises:
        InvalidMessage: it is no whole number that PostgreSQL can carry.
    """
    priority = message.options.get("broker_priority", default)
    if not isinstance(priority, int) or priority not in PRIORITIES:
        raise InvalidMessage(
            f"Message for {message.actor_name}: broker_priority {priority!r} must be a whole number of 32 bits."
        )
    return priority


def refused(messages: Iterable[Any], why: str) -> InvalidMessage:
    """The error for messages that PostgreSQL did not take; it names the argument, but no argument's value."""
    for message in messages:
        if name := _unfit(message):
            return InvalidMessage(f"Message for {message.actor_name}: PostgreSQL cannot store {name}: {why}")
    return InvalidMessage(f"PostgreSQL cannot store this message: {why}")


def fitting(value: Any) -> Any:
    """What is to be encrypted, or was: the server, which cannot see it, would refuse some of it were it plain.

    Raises:
        InvalidMessage: it has a NUL or half a character.
    """
    if not is_storable(value):
        raise InvalidMessage("PostgreSQL cannot store it: it has a NUL or half a character.")
    return value


def _refuse_depth(message: Any) -> None:
    if name := next((name for name, value in _arguments(message) if _is_deep(value)), None):
        raise InvalidMessage(
            f"Message for {message.actor_name}: {name} is nested more than {DEEPEST} levels deep, "
            "which no worker could read."
        )


def _is_deep(value: Any) -> bool:
    """Walks level by level, for calls would be nested as deeply; an object that stands twice in a level counts once."""
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        inner = (child for each in level for child in (each.values() if isinstance(each, dict) else each))
        level = list({id(child): child for child in inner if isinstance(child, dict | list | tuple)}.values())
        if not level:
            return False
    return True


def _unfit(message: Any) -> str | None:
    return next((name for name, value in _arguments(message) if not is_storable(value)), None)


def _largest(message: Any) -> str:
    return max(_arguments(message), key=lambda named: len(json.dumps(named[1], default=str)))[0]


def _arguments(message: Any) -> list[tuple[str, Any]]:
    numbered = [(f"argument {number}", value) for number, value in enumerate(message.args, start=1)]
    named = [(f"argument {name!r}", value) for name, value in message.kwargs.items()]
    return numbered + named + [(f"option {name!r}", value) for name, value in message.options.items()]


def _size(message: Any) -> int:
    """In bytes of UTF-8, as a person counts: on the wire, a letter beyond ASCII is an escape of six."""
    return len(json.dumps(vars(message), ensure_ascii=False).encode())
