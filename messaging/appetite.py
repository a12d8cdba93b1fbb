"""How much a queue's consumer claims, and when: arithmetic over what is held and how fast it is worked off.

A worker holds what its threads will start soon and leaves the rest to others; queues of one process that have work get
equal parts of that. Acks wait a moment for others to share their round trip. No clock, no lock and no database in here:
the time is handed in (seconds on the monotonic clock), and so is every random pause.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple

LARGEST_BATCH = 512  # messages claimed at once
AHEAD_SECONDS = 0.05  # a worker holds what it will start within this time, and leaves the rest to others
LINGER_SECONDS = 0.005  # an ack waits at most this long for others to share its round trip
IDLE_SECONDS = 1.0  # what did not start within this time goes back: it was short work once, and is long now
WHOLE_LOOK_SECONDS = 0.3  # at least, between claims that begin at the start of the queue
WHOLE_LOOK_SHARE = 0.1  # of the time, at most, goes into those
MEMORY_SECONDS = 0.25  # how far back the rate of finished messages looks
SHORTEST_SECONDS = 0.001  # that an exchange is taken for
DOZE_SECONDS = 0.005  # in a stream, after a find: it looks again unrung for, and sleeps no sooner
STREAM_SECONDS = 0.005  # between finds of a stream, at most


class Holding(NamedTuple):
    """What this process holds of one queue at one moment: so many claims, of which so many are finished."""

    held: int = 0
    settled: int = 0
    unstarted: bool = False
    returned: bool = False  # some are handed back, and others may have them once that is written
    rung: bool = False  # the doorbell rang since the last look

    @property
    def running(self) -> int:
        return self.held - self.settled


class Load(NamedTuple):
    """What all queues of this process come to: claims not finished, messages finished a second, queues with work."""

    running: int = 0
    rate: float = 0.0
    rivals: int = 0
    may_claim: bool = True  # others know this process, and it is not about to end

    @property
    def ahead(self) -> int:
        """How many messages will start soon, beyond those that the threads run."""
        return int(self.rate * AHEAD_SECONDS)

    def share(self, threads: int) -> int:
        """One queue's part of what is wanted for so many threads."""
        return max(1, (threads + self.ahead) // max(1, self.rivals))


class Exchange(NamedTuple):
    """One round trip: when it began, how many were acked and how many wanted at most, and the ids of those claimed."""

    began: float
    finished: int
    limit: int
    claimed: list[str]

    @property
    def full(self) -> bool:
        return 0 < self.limit <= len(self.claimed)


@dataclass
class Appetite:
    """One queue's: what its consumer remembers of its exchanges, and what follows from it."""

    threads: int = 1
    rate: float = 0.0  # messages finished a second, lately
    more: bool = False  # whether the last look left some waiting
    lost: bool = False  # the database did not answer
    idle: bool = False  # it would take something at once, and does not look by itself: whoever sends must ring
    found_at: float = 0.0
    doze_until: float = inf  # when to look again
    streams: bool = False  # the last finds came close together: whoever sends need not ring, for it looks again soon
    exchanged_at: float = 0.0
    poll_at: float = 0.0  # when to look without having been called
    due: list[float] = field(default_factory=list)  # a heap: when what this process put back may run again
    modest_until: float = 0.0  # until then, work that turned out long is left to others
    last_claimed: str | None = None  # behind which more may wait
    whole_look_at: float = 0.0  # when to begin at the start of the queue again

    def is_due(self, queue: Holding, load: Load, now: float) -> bool:
        """Whether to exchange now."""
        if self.lost:
            return now >= self.poll_at
        return queue.returned or self._acks_are_due(queue, now) or self._claim_is_due(queue, load, now)

    def room(self, queue: Holding, load: Load, now: float) -> int:
        """How many more to claim: what is wanted and not held, or what is missing to this queue's share of it.

        Where all threads are busy for long, the share is claimed at the next poll only: what is new is left to whoever
        is idle and hears the doorbell.
        """
        if not load.may_claim:
            return 0
        room = self.threads + load.ahead - load.running
        if now >= self.modest_until and (load.ahead or now >= self._look_at()):
            room = max(room, load.share(0) - queue.running)
        return max(0, min(LARGEST_BATCH, room))

    def wake_at(self, queue: Holding, now: float, deadline: float) -> float:
        """Until when to wait for news, at the latest."""
        look_at = self._look_at()
        until = min(deadline, look_at) if now < look_at else deadline
        if now < self.doze_until:
            until = min(until, self.doze_until)
        if queue.settled and not self.lost:
            until = min(until, self._linger_until())
        return min(until, now + IDLE_SECONDS) if queue.unstarted else until

    def expect(self, at: float) -> None:
        """Remember that a message falls due then; called by worker threads."""
        heappush(self.due, at)

    def behind(self, now: float) -> str | None:
        """The message behind which to look for more; None for a look at the whole queue."""
        return self.last_claimed if now < self.whole_look_at else None

    def exchanged(self, exchange: Exchange, now: float, pause: float) -> None:
        """Remember an exchange that is over now; in `pause` seconds it is time to look again."""
        whole = self.behind(exchange.began) is None
        if exchange.limit:
            self.last_claimed = exchange.claimed[-1] if exchange.full else None
        if whole:
            took = now - exchange.began
            self.whole_look_at = exchange.began + max(WHOLE_LOOK_SECONDS, took / WHOLE_LOOK_SHARE)
        elapsed = max(now - self.exchanged_at, SHORTEST_SECONDS)
        self.rate += min(1.0, elapsed / MEMORY_SECONDS) * (exchange.finished / elapsed - self.rate)
        self.more = exchange.full or not whole
        if exchange.claimed:
            self.streams = now - self.found_at < STREAM_SECONDS
            self.idle = self.idle and not self.streams and not exchange.full
            self.found_at, self.doze_until = now, inf if self.idle else now + DOZE_SECONDS
        elif exchange.limit and not self.more and (not self.streams or now >= self.doze_until):
            self.idle, self.streams, self.doze_until = True, False, inf
        self.exchanged_at, self.poll_at = now, now + pause
        self.lost = False
        while exchange.limit and self.due and self.due[0] <= exchange.began:
            heappop(self.due)

    def failed(self, now: float, pause: float) -> None:
        """Remember that the database did not answer: it is asked again after so many seconds."""
        self.lost, self.poll_at = True, now + pause

    def overate(self, now: float, pause: float) -> None:
        """Remember that claims went back unstarted: for so many seconds, only idle threads are fed."""
        self.rate, self.modest_until = 0.0, now + pause

    def _acks_are_due(self, queue: Holding, now: float) -> bool:
        alone = queue.settled >= queue.held  # nothing else runs: none will come to share the round trip
        enough = queue.settled >= LARGEST_BATCH // 2
        return queue.settled > 0 and (queue.rung or alone or enough or now >= self._linger_until())

    def _claim_is_due(self, queue: Holding, load: Load, now: float) -> bool:
        room = self.room(queue, load, now)
        worth_it = self.more and room >= load.share(self.threads) // 2
        dozed = now >= self.doze_until and not self.more
        return room > 0 and (queue.rung or now >= self._look_at() or worth_it or dozed)

    def _look_at(self) -> float:
        return min(self.poll_at, self.due[0]) if self.due else self.poll_at

    def _linger_until(self) -> float:
        return self.exchanged_at + (AHEAD_SECONDS / 2 if self.more else LINGER_SECONDS)
