"""Ends a run that a person has cancelled: an exception in its thread, and in no other run of that thread."""

import threading
from contextlib import suppress

from dramatiq.middleware import Interrupt
from dramatiq.middleware.threading import raise_thread_exception


class Cancelled(Interrupt):
    """Raised in an actor whose message a person has cancelled; it is not retried."""


class Interruption:
    """Of one run: it may come once, and not any more once the run's hooks are told of its end.

    What a thread waits for in C (a lock of the database's, one long sleep) it gets first, as at Dramatiq's time limits.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread_id: int | None = None  # while the run may be interrupted
        self.came = False

    def begin(self) -> None:
        """The thread that calls this runs the actor from now on."""
        with self.lock:
            self.thread_id = threading.get_ident()

    def end(self) -> None:
        """From now on nothing comes; what was on its way lands here."""
        with suppress(Cancelled):
            with self.lock:
                self.thread_id = None
            _land()

    def is_open(self) -> bool:
        """Whether the run began, and its hooks were never told of an end: an interruption took even that away."""
        return self.thread_id is not None

    def come(self) -> bool:
        """Interrupt the run; whether that happened just now."""
        with self.lock:
            if self.thread_id is None or self.came:
                return False
            self.came = True
            raise_thread_exception(self.thread_id, Cancelled)
            return True


def _land() -> None:
    """A call, at which Python raises what another thread has set."""
