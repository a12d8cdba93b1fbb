"""What a worker process holds: its claims, from the moment they are taken until they are settled."""

import gc
import inspect
import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from itertools import count, takewhile
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import MessageProxy
from dramatiq.message import Message
from dramatiq.middleware import SkipMessage

from db.text import storable

EXCHANGES_AT_ONCE = 2  # connections that all consumers of a process share, beside one for each of its threads

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
        self.handed_back = False
        self.interrupted = False  # the database went away before the middleware had done its part
        self.written = False  # retried or rejected in the database already, so that no ack is due

    # A claim is itself alone: the same message may be claimed again, under another attempt.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> bool:
        # Dramatiq's own answer, always true, lets messages of equal priority starve.
        return bool(self.rank < other.rank)

    def __str__(self) -> str:
        # Dramatiq logs messages; their arguments may be a person's.
        return f"{self.actor_name}({self.message_id})"

    def __repr__(self) -> str:
        return f"<Claim {self} attempt={self.attempt}>"

    def new_options(self) -> str:
        """Its options as JSON: all that a retry changes. The arguments stay as sent, whatever the actor did to them."""
        if "traceback" in self.options:
            self.options["traceback"] = storable(self.options["traceback"])
        return json.dumps(self.options, default=str)

    def failure(self) -> str:
        """What went wrong, for a person."""
        if self.interrupted:
            return "The database went away before the message's results and successors were kept: it runs again."
        if self._exception is None:
            return f"No actor is called {self.actor_name!r} in this worker."
        summary = f"{type(self._exception).__name__}: {self._exception}"
        traceback = self.options.get("traceback", "").rstrip()  # of this failure, or of an earlier one
        return storable(traceback if traceback.endswith(summary) else summary)


class Claims:
    """The claims of one queue; worker threads settle them, the consumer's thread takes and releases them."""

    def __init__(self) -> None:
        self.held: set[Claim] = set()  # taken and not yet released
        self.unstarted: dict[Claim, None] = {}  # in the order of taking
        self.settled: deque[Claim] = deque()  # to be acked and released
        self.returned: deque[Claim] = deque()  # to be requeued and released
        self.rate = 0.0  # messages finished a second, lately
        self.more = False  # whether the last look left some waiting
        self.lock = threading.Lock()
        self.rung = False  # whether the doorbell rang since the last look
        self.wake = threading.Event()

    def take(self, claims: list[Claim]) -> None:
        self.held.update(claims)
        with self.lock:
            self.unstarted |= dict.fromkeys(claims)

    def start(self, claim: Claim) -> bool:
        """Whether the claim may run: it was not handed back meanwhile."""
        with self.lock:
            if claim not in self.unstarted:
                return False
            del self.unstarted[claim]
            return True

    def hand_back(self, taken_before: float = math.inf) -> bool:
        """Give up the claims taken before then that have not started; the consumer requeues them."""
        with self.lock:
            claims = list(takewhile(lambda claim: claim.taken_at < taken_before, self.unstarted))
            for claim in claims:
                del self.unstarted[claim]
                claim.handed_back = True
        if claims:
            self.returned.extend(claims)
            self.wake.set()
        return bool(claims)

    def settle(self, claim: Claim) -> None:
        self.settled.append(claim)
        if not self.unstarted or len(self.settled) == 1:
            self.wake.set()  # a thread is idle now, or this ack should not wait for long

    def ring(self) -> None:
        """Say that there may be new messages."""
        self.rung = True
        self.wake.set()

    def release(self, claims: Iterable[Claim]) -> None:
        self.held.difference_update(claims)


class ClaimsMiddleware(Middleware):
    """Lets a claim run only while it is surely ours, and hands unstarted ones back at shutdown."""

    def after_declare_actor(self, broker: Any, actor: Any) -> None:
        del broker
        actor.logger.setLevel(logging.INFO)  # what it logs below are its arguments

    def before_process_message(self, broker: Any, message: Any) -> None:
        if isinstance(message, Claim):
            claims = broker.claims[message.queue_name]
            if broker.pulse.lapsed():
                claims.hand_back()
            if not claims.start(message):
                raise SkipMessage("It was handed back for another worker to run.")

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Give up at once what its actor cannot be called with: that will not change."""
        del result
        if isinstance(message, Claim) and isinstance(exception, TypeError) and not _fits(broker, message):
            message.fail()  # type: ignore[no-untyped-call]

    def before_worker_boot(self, broker: Any, worker: Any) -> None:
        gc.freeze()  # what the imports left stays: a full collection that walks it stops every thread for 80 ms
        broker.pulse.closing = False
        broker.pool.resize(worker.worker_threads + EXCHANGES_AT_ONCE)

    def before_worker_shutdown(self, broker: Any, _worker: Any) -> None:
        broker.pulse.closing = True
        for claims in broker.claims.values():
            claims.hand_back()


def _fits(broker: Any, message: Claim) -> bool:
    try:
        inspect.signature(broker.get_actor(message.actor_name).fn).bind(*message.args, **message.kwargs)
    except TypeError:
        return False
    return True
