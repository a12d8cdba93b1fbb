"""A claimed message, and what became of it in this process."""

import json
import time
from collections.abc import Iterable
from itertools import count
from threading import Thread
from traceback import format_tb
from typing import Any

from dramatiq.broker import MessageProxy
from dramatiq.message import Message

from db.text import storable
from errors import InvalidMessage
from log import placeless
from messaging import tracing
from messaging.cancelling import Cancelled, Interruption
from messaging.encoding import fitting
from messaging.outcome import Outcome
from messaging.seal import Seal

LAST_FRAMES = -30  # of a traceback, as Dramatiq keeps

claim_order = count()


class Claim(MessageProxy):
    """A claimed message: its attempt is the fence under which it may be settled."""

    def __init__(self, message: Message[Any], attempt: int, priority: int) -> None:
        super().__init__(message)  # type: ignore[no-untyped-call]
        vars(self).update(vars(message))  # read many times a run; through the proxy each would cost a failed look-up
        self.attempt = attempt
        self.rank = (-priority, next(claim_order))
        self.retry_delay: int | None = None  # milliseconds; set when Dramatiq asks for a retry
        self.taken_at = time.monotonic()
        self.thread: Thread | None = None  # that runs it
        self.left = False  # by its thread, after it had its end, or should have had
        self.handed_back = False
        self.outcome: Outcome | None = None  # what its run caused, once the hooks have told
        self.interrupted = False  # the database went away before the middleware had done its part
        self.interruption = Interruption()  # by a person who cancels it
        self.written = False  # retried or rejected in the database already, so that no ack is due

    # A claim is itself alone: the same message may be claimed again, under another attempt.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> bool:
        # Dramatiq's own answer, always true, lets messages of equal priority starve.
        return bool(self.rank < other.rank)

    def clear_exception(self) -> None:
        """Dramatiq's last word on a run."""
        super().clear_exception()  # type: ignore[no-untyped-call]
        tracing.leave()
        self.left = True

    def is_cancelled(self) -> bool:
        """Whether its run ended because a person wanted it to."""
        return isinstance(self._exception, Cancelled)

    def ended_by(self) -> str | None:
        """The class of what its run ended with, for a log."""
        return type(self._exception).__name__ if self._exception else None

    def is_run(self) -> bool:
        """Whether a thread is at it, or will be."""
        return self.thread is None or (self.thread.is_alive() and not self.left)

    def __str__(self) -> str:
        # Dramatiq logs messages; their arguments may be a person's.
        return f"{self.actor_name}({self.message_id})"

    def __repr__(self) -> str:
        return f"<Claim {self} attempt={self.attempt}>"

    def new_options(self, seal: Seal) -> str:
        """Its options as JSON: all that a retry changes. The arguments stay as sent, whatever the actor did to them.

        Where they are sealed, so is what went wrong: `failure` tells its kind in public.

        Raises:
            InvalidMessage: a hook or the actor put something among them that JSON cannot carry.
        """
        if "traceback" in self.options:
            self.options["traceback"] = storable(placeless(self.options["traceback"]))
        try:
            if not seal:
                return json.dumps(self.options, default=str, allow_nan=False)
            options = json.loads(json.dumps(self.options | {"failure": self.failure()}, default=str, allow_nan=False))
            return json.dumps(seal.options(fitting(options)))
        except Exception as error:  # noqa: BLE001 - a guest's object may raise anything when it is written
            why = type(error).__name__ if seal else in_words(error)
            raise InvalidMessage(f"Its options cannot be stored: {why}") from None

    def failure(self, *, sealed: bool = False) -> str:
        """What went wrong, for a person; `sealed`: only its kind and place, for its words may quote somebody."""
        if self.interrupted:
            return "The database went away before the message's results and successors were kept: it runs again."
        if self._exception is None:  # and nobody could be told that it waits
            return f"No actor is called {self.actor_name!r} in this worker."
        if sealed:
            frames = placeless("".join(format_tb(self._exception.__traceback__, LAST_FRAMES)))
            return frames + type(self._exception).__qualname__
        summary = in_words(self._exception)
        traceback = self.options.get("traceback", "").rstrip()  # of this failure, or of an earlier one
        return storable(placeless(traceback) if traceback.endswith(summary) else summary)


def in_words(error: BaseException) -> str:
    """An exception's kind and what it says; some raise another when they are asked."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as unsaid:  # noqa: BLE001 - whatever it is, the message ends with the kind of its failure
        return f"{type(error).__name__}, which raises {type(unsaid).__name__} when asked what it says"


def fences(claims: Iterable[Claim]) -> dict[str, str]:
    """By what the database knows these claims: arrays as it writes them, for of a list each value is quoted apart."""
    listed = in_order(claims)
    return {"ids": _array(each.message_id for each in listed), "attempts": _array(str(each.attempt) for each in listed)}


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: claim.message_id)  # as senders write them: neither waits in a circle


def _array(values: Iterable[str]) -> str:
    return f"{{{','.join(values)}}}"
