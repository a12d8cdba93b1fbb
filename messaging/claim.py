"""A claimed message, and what became of it in this process."""

import json
import time
from itertools import count
from threading import Thread
from typing import Any

from dramatiq.broker import MessageProxy
from dramatiq.message import Message

from db.text import storable
from errors import InvalidMessage
from messaging.outcome import Outcome

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
        self.left = True

    def is_run(self) -> bool:
        """Whether a thread is at it, or will be."""
        return self.thread is None or (self.thread.is_alive() and not self.left)

    def __str__(self) -> str:
        # Dramatiq logs messages; their arguments may be a person's.
        return f"{self.actor_name}({self.message_id})"

    def __repr__(self) -> str:
        return f"<Claim {self} attempt={self.attempt}>"

    def new_options(self) -> str:
        """Its options as JSON: all that a retry changes. The arguments stay as sent, whatever the actor did to them.

        Raises:
            InvalidMessage: a hook or the actor put something among them that JSON cannot carry.
        """
        if "traceback" in self.options:
            self.options["traceback"] = storable(self.options["traceback"])
        try:
            return json.dumps(self.options, default=str, allow_nan=False)
        except Exception as error:  # noqa: BLE001 - a guest's object may raise anything when it is written
            raise InvalidMessage(f"Its options cannot be stored: {in_words(error)}") from None

    def failure(self) -> str:
        """What went wrong, for a person."""
        if self.interrupted:
            return "The database went away before the message's results and successors were kept: it runs again."
        if self._exception is None:  # and nobody could be told that it waits
            return f"No actor is called {self.actor_name!r} in this worker."
        summary = in_words(self._exception)
        traceback = self.options.get("traceback", "").rstrip()  # of this failure, or of an earlier one
        return storable(traceback if traceback.endswith(summary) else summary)


def in_words(error: BaseException) -> str:
    """An exception's kind and what it says; some raise another when they are asked."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as unsaid:  # noqa: BLE001 - whatever it is, the message ends with the kind of its failure
        return f"{type(error).__name__}, which raises {type(unsaid).__name__} when asked what it says"
