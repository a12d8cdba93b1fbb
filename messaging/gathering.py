"""Group commit: what threads send at the same time is stored by one of them, in one transaction.

Each transaction waits for the disk, and each exchange with the server for the network and for the interpreter; threads
that send alone would queue for all three.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Lock

import psycopg2

AT_ONCE = 3  # threads that store
Row = tuple[bytes, ...]


@dataclass(eq=False)
class Sent:
    """A message of some thread that waits for its turn, or for whoever stores it."""

    queue_name: str
    row: Row
    is_begun: bool = False
    is_over: bool = False
    error: psycopg2.Error | None = None


class Gathering:
    """Stores messages of any number of threads, a batch at a time; a thread that comes alone never waits."""

    def __init__(self, copy: Callable[[list[str], list[Row]], None]) -> None:
        """`copy` stores rows for queues: all of them or none."""
        self.copy = copy
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.waiting: deque[Sent] = deque()
        self.change = Condition(Lock())
        self.storing: list[Sent] = []  # those whose threads store

    def store(self, queue_name: str, row: Row) -> None:
        """Store a message, together with what waits by then.

        Raises:
            psycopg2.Error: none of what was stored together is there, or nobody knows.
        """
        sent, batch = Sent(queue_name, row), []
        try:
            with self.change:
                self.waiting.append(sent)
                while len(self.storing) == AT_ONCE and not sent.is_begun:
                    self.change.wait()
                if not sent.is_begun:
                    self.storing.append(sent)
                    batch, self.waiting = list(self.waiting), deque()
                    for each in batch:
                        each.is_begun = True
                while not batch and not sent.is_over:
                    self.change.wait()
            if batch:
                self._store(batch)
        finally:
            with self.change:
                if sent in self.storing:
                    self.storing.remove(sent)
                for each in batch:
                    each.is_over = True
                if batch:
                    self.change.notify_all()
        if sent.error:
            raise sent.error

    def _store(self, batch: list[Sent]) -> None:
        try:
            self.copy(sorted({each.queue_name for each in batch}), sorted(each.row for each in batch))
        except psycopg2.Error as error:
            for each in batch:
                each.error = error
