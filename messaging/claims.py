"""What a worker process holds of a queue: its claims, from the moment they are taken until they are settled."""

import math
import threading
from collections import deque
from collections.abc import Iterable
from itertools import takewhile

from messaging.appetite import Appetite, Holding
from messaging.claim import Claim


class Claims:
    """The claims of one queue; worker threads settle them, the consumer's thread takes and releases them."""

    def __init__(self) -> None:
        self.held: set[Claim] = set()  # taken and not yet released
        self.unstarted: dict[Claim, None] = {}  # in the order of taking
        self.settled: deque[Claim] = deque()  # to be acked and released
        self.returned: deque[Claim] = deque()  # to be requeued and released
        self.appetite = Appetite()
        self.lock = threading.Lock()
        self.rung = False  # whether the doorbell rang since the last look
        self.wake = threading.Event()

    def holding(self) -> Holding:
        """How many there are of each, now."""
        return Holding(len(self.held), len(self.settled), bool(self.unstarted), bool(self.returned), self.rung)

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
        claim.thread = threading.current_thread()
        return True

    def cancel(self, message_id: str, attempt: int) -> bool:
        """End the run of a claim, or give it up where it has not started; whether that was done just now."""
        claim = next(
            (each for each in list(self.held) if (each.message_id, each.attempt) == (message_id, attempt)), None
        )
        if claim is None:
            return False
        with self.lock:
            unstarted = claim in self.unstarted
            if unstarted:
                del self.unstarted[claim]
                claim.handed_back = True
        if unstarted:
            self.returned.append(claim)
            self.wake.set()
            return True
        return claim.interruption.come()

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

    def expect(self, at: float) -> None:
        """Say that a message falls due then."""
        self.appetite.expect(at)
        self.wake.set()

    def release(self, claims: Iterable[Claim]) -> None:
        self.held.difference_update(claims)
