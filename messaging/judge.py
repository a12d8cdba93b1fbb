"""Who is dead: a worker whose count of beats stood still while the judge's own beats were fast, by no clock but its."""

from collections.abc import Mapping
from typing import Generic, TypeVar

BEATS_IN_SILENCE = 3
Id = TypeVar("Id")


class Judge(Generic[Id]):
    """Notes when it saw each worker's count move, by the monotonic clock of its own process.

    A commit that stalls, a server or a judge that stands still make everyone's count old, and nobody is dead: then the
    silence begins anew.
    """

    def __init__(self) -> None:
        self.moved: dict[Id, tuple[int, float]] = {}  # each worker's count, and when it was first seen
        self.since: float | None = None  # when the present run of fast beats began
        self.beaten_at = 0.0

    def beat(self, began: float, ended: float, *, silence: float) -> None:
        """Note a beat of one's own; one that is slow, or later than the next should have been, begins anew."""
        pause = silence / BEATS_IN_SILENCE
        if self.since is None or began - self.beaten_at > 1.75 * pause or ended - began > pause / 2:
            self.moved.clear()
            self.since = ended
        self.beaten_at = ended

    def dead(self, counts: Mapping[Id, int], began: float, ended: float, *, silence: float) -> dict[Id, int]:
        """The workers to give up, each with the count at which it stands.

        `counts` were asked for at `began` and known at `ended`: what moved is dated late, and what stands early.
        """
        same = {worker: seen for worker, seen in self.moved.items() if counts.get(worker) == seen[0]}
        self.moved = {worker: (count, ended) for worker, count in counts.items()} | same
        if ended - self.beaten_at > silence / BEATS_IN_SILENCE / 2:
            self.since = None
            return {}
        return {worker: count for worker, (count, at) in same.items() if began - at >= silence}

    def may_judge(self, now: float, *, silence: float) -> bool:
        """Whether a full silence of fast beats lies behind."""
        return self.since is not None and now - self.since >= silence
