"""A scheduler's row: that it lives is told by a count, and by no clock; a row that stands still is removed."""

import os
import platform
import time
import uuid
from collections.abc import Sequence
from datetime import datetime

from db import queries
from db.database import single_statements
from messaging.judge import Judge


class Presence:
    """One scheduler among the others, who are dead once they have been silent for `silence_seconds`."""

    def __init__(self, silence_seconds: float) -> None:
        self.id = str(uuid.uuid4())
        self.beats = 0
        self.judge: Judge[str] = Judge()
        self.silence_seconds = silence_seconds

    def beat(self, _now: datetime, _jobs: Sequence[object]) -> None:
        """Count one more, and see whose count has not moved for long."""
        self.beats += 1
        with single_statements() as conn:
            began = time.monotonic()
            queries.jobs.beat(conn, id=self.id, host=platform.node(), pid=os.getpid(), beats=self.beats)
            self.judge.beat(began, time.monotonic(), silence=self.silence_seconds)
            asked = time.monotonic()
            counts = dict(queries.jobs.list_beats(conn))
            dead = self.judge.dead(counts, asked, time.monotonic(), silence=self.silence_seconds)
            if dead and self.judge.may_judge(asked, silence=self.silence_seconds):
                queries.jobs.remove_schedulers(conn, ids=list(dead), beats=list(dead.values()))

    def end(self, _now: datetime, _jobs: Sequence[object]) -> None:
        """Say that this one has ended in good order."""
        with single_statements() as conn:
            queries.jobs.remove_schedulers(conn, ids=[self.id], beats=[self.beats])
