"""Lines: messages of one key run one at a time, or as many at once as their actor allows, in their order.

An actor's `key` names the argument whose value is its messages' key (`payment_id`, `variables.appointment_id`), so that
it counts whichever way they are sent; a message sent with a `key` has that instead. What waits, and whose turn it is,
SQL decides (db/migrations/broker/010_keep_lines.sql).
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from dramatiq import Middleware

from errors import SettingsError

KEY, LIMIT = "key", "key_limit"  # options of an actor; the first of a message, too
PATH = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)
WAITING = b"its turn"  # as SQL has it: what a message in a line waits for


class LineOptions(Middleware):
    """Lets actors be declared with a `key`, and with how many messages of one key may run at once, `key_limit`: 1."""

    @property
    def actor_options(self) -> set[str]:
        return {KEY, LIMIT}


def check_options(actor: Any) -> None:
    """See that an actor's key and key_limit can be one, or raise SettingsError."""
    key, limit = actor.options.get(KEY), actor.options.get(LIMIT, 1)
    if key is not None and not (isinstance(key, str) and PATH.fullmatch(key)):
        raise SettingsError(
            f"key {key!r} of actor {actor.actor_name} must name an argument, as payment_id or variables.payment_id."
        )
    if not isinstance(limit, int) or limit < 1:
        raise SettingsError(f"key_limit {limit!r} of actor {actor.actor_name} must be a whole number, 1 or more.")


def line_of(queue_name: str, key: str | None) -> str | None:
    """The line of a key in a queue, as SQL's dramatiq.line_of has it; None without a key."""
    return None if key is None else f"{queue_name} {sha256(key.encode()).hexdigest()}"


def key_in(path: str, names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """The key that arguments hold, as SQL's dramatiq.key_in has it; `names` are those of the positional ones."""
    value: Any = {**dict(zip(names, args, strict=False)), **kwargs}
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def keyless(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message as they are stored: a key often says whose it is, and its line is enough."""
    if KEY not in fields["options"]:
        return fields
    return fields | {"options": {name: value for name, value in fields["options"].items() if name != KEY}}
