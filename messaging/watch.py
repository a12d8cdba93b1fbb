"""The watch: one look for all queues of a process that rest, by whichever consumer's thread comes first."""

from threading import Lock


class Watch:
    """Says whose turn it is to look, and until when the others may wait for that."""

    def __init__(self) -> None:
        self.look_at = 0.0
        self.lock = Lock()

    def take(self, now: float, pause: float) -> bool:
        """Whether a look is due and the caller's to make; the next one is due in `pause` seconds."""
        with self.lock:
            due = now >= self.look_at
            if due:
                self.look_at = now + pause
            return due
