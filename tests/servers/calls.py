"""What a stand-in for a provider remembers of each mail that it was given."""

import time
from dataclasses import dataclass, field


@dataclass
class Call:
    """One mail in one request: whether the provider took it, and what the caller heard of that."""

    delivery: str
    recipient: str
    sender: str
    taken: bool
    arrived_at: float = field(default_factory=time.time)
    heard: int | None = None  # the status of an answer that was written to its end,
    heard_at: float = 0.0  # and when

    def answer(self, status: int | None) -> None:
        self.heard, self.heard_at = status, time.time()
