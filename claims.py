"""What a worker process holds: its claims, from the moment they are taken until they are settled."""

import threading
from collections import deque
from itertools import count
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import MessageProxy
from dramatiq.message import Message
from dramatiq.middleware import SkipMessage

claim_order = count()


class Claim(MessageProxy):
    """A claimed message: its attempt is the fence under which it may be settled."""

    def __init__(self, message: Message[Any], attempt: int, priority: int) -> None:
        super().__init__(message)  # type: ignore[no-untyped-call]
        self.attempt = attempt
        self.rank = (-priority, next(claim_order))
        self.retry_delay: int | None = None  # milliseconds; set when Dramatiq asks for a retry
        self.started = False
        self.handed_back = False

    def __lt__(self, other: Any) -> bool:
        # Dramatiq's own answer, always true, lets messages of equal priority starve.
        return bool(self.rank < other.rank)

    def __str__(self) -> str:
        # Dramatiq logs messages; their arguments may be a person's.
        return f"{self.actor_name}({self.message_id})"

    def __repr__(self) -> str:
        return f"<Claim {self} attempt={self.attempt}>"

    def encoded(self) -> str | None:
        """The message with its new options; None, to leave the stored one as it is, where they cannot be stored."""
        if "traceback" in self.options:
            self.options["traceback"] = _storable(self.options["traceback"])
        try:
            return str(self.encode().decode())
        except (TypeError, ValueError):
            return None

    def failure(self) -> str:
        """What went wrong, for a person."""
        if self._exception is None:
            return f"No actor is called {self.actor_name!r} in this worker."
        return _storable(self.options.get("traceback") or f"{type(self._exception).__name__}: {self._exception}")


class Claims:
    """The claims of one queue; worker threads settle them, the consumer's thread takes and releases them."""

    def __init__(self) -> None:
        self.unstarted: dict[str, Claim] = {}
        self.held = 0  # claimed and not yet released
        self.settled: deque[Claim | None] = deque()  # to be acked; None: retried or rejected already
        self.returned: deque[Claim] = deque()  # to be requeued
        self.lock = threading.Lock()
        self.wake = threading.Event()

    def take(self, claims: list[Claim]) -> None:
        with self.lock:
            self.unstarted |= {claim.message_id: claim for claim in claims}
        self.held += len(claims)

    def start(self, claim: Claim) -> bool:
        """Whether the claim may run: it was not handed back meanwhile."""
        with self.lock:
            claim.started = self.unstarted.pop(claim.message_id, None) is claim
            return claim.started

    def hand_back(self) -> None:
        """Give up every claim that has not started; the consumer requeues them."""
        with self.lock:
            claims = list(self.unstarted.values())
            self.unstarted.clear()
        for claim in claims:
            claim.handed_back = True
        self.returned.extend(claims)
        self.wake.set()

    def settle(self, claim: Claim | None) -> None:
        self.settled.append(claim)
        if len(self.settled) >= self.held:
            self.wake.set()  # nothing else runs: do not wait for more to ack together


class ClaimsMiddleware(Middleware):
    """Lets a claim run only while it is surely ours, and hands unstarted ones back at shutdown."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        if isinstance(message, Claim):
            claims = broker.claims[message.queue_name]
            if broker.pulse.lapsed():
                claims.hand_back()
            if not claims.start(message):
                raise SkipMessage("It was handed back for another worker to run.")

    def before_worker_shutdown(self, broker: Any, _worker: Any) -> None:
        broker.pulse.closing = True
        for claims in broker.claims.values():
            claims.hand_back()


def _storable(text: str) -> str:
    """`text` without what PostgreSQL refuses: NUL characters and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
