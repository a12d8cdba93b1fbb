"""One trace for all that comes of one cause: 32 hexadecimal letters, as W3C has it, from the trigger to the effect.

A message that begins a trace is its name: its own id without dashes. What it causes carries that in its options, and so
does what the bridge moves, of which all that one transaction sent has one trace. So most messages carry none.
"""

import re
from typing import Any

import log

OPTION = "trace"
TRACE = re.compile(r"[0-9a-f]{32}")


def trace_of(message: Any) -> str:
    """The trace that a message is part of."""
    given = message.options.get(OPTION)
    return str(given) if is_trace(given) else str(message.message_id).replace("-", "").lower()


def is_trace(value: Any) -> bool:
    """Whether it is the name of a trace, and not whatever else a sender calls so."""
    return isinstance(value, str) and TRACE.fullmatch(value) is not None


def enter(message: Any) -> None:
    """From now on this thread, or task, runs the message: what it sends and logs is part of its trace."""
    log.trace.set(trace_of(message))


def leave() -> None:
    log.trace.set(None)


def carried(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message as it is sent: with the trace of the run that sends it, if one does."""
    trace = log.trace.get()
    if trace is None or OPTION in fields["options"]:
        return fields
    return fields | {"options": fields["options"] | {OPTION: trace}}
