"""Group commit: what threads send at the same time is stored by one of them, in one transaction.

Each transaction waits for the disk, and each exchange with the server for the network and for the interpreter; threads
that send alone would queue for all three.
"""

import os
from collections.abc import Callable
from threading import Lock

import psycopg2

from db.trouble import passes

Row = tuple[bytes, ...]


class RefusedTogetherError(Exception):
    """The server refused what was stored together: alone, each learns whether it was meant."""


class Sent:
    """A message of some thread that waits to be stored, or for its thread's turn to store."""

    def __init__(self, queue_name: str, row: Row) -> None:
        self.queue_name = queue_name
        self.row = row
        self.is_storer = False
        self.error: Exception | None = None
        self.news = Lock()
        self.news.acquire()  # until it is stored, or is the storer


class Gathering:
    """Stores messages of any number of threads, a batch at a time; a thread that comes alone never waits."""

    def __init__(self, copy: Callable[[list[str], list[Row]], None]) -> None:
        """`copy` stores rows for queues: all of them or none."""
        self.copy = copy
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.lock = Lock()
        self.waiting: list[Sent] = []
        self.is_storing = False

    def store(self, queue_name: str, row: Row) -> None:
        """Store a message, together with what waits by then.

        Raises:
            psycopg2.Error: it is not there, or nobody knows.
            RefusedTogetherError: it is not there, nor what was to be stored together with it.
        """
        sent = Sent(queue_name, row)
        try:
            with self.lock:
                self.waiting.append(sent)
                if not self.is_storing:
                    self.is_storing = sent.is_storer = True
            if not sent.is_storer:
                sent.news.acquire()
            if sent.is_storer:
                self._store_all()
        finally:  # also where a time limit ends this thread's work anywhere above
            self._leave(sent)
        if sent.error:
            raise sent.error

    def _store_all(self) -> None:
        batch: list[Sent] = []
        error: Exception | None = psycopg2.OperationalError("Whether this was stored was not heard.")
        try:
            with self.lock:
                batch, self.waiting = self.waiting, []
            self.copy(sorted({each.queue_name for each in batch}), sorted(each.row for each in batch))
            error = None
        except psycopg2.Error as its:
            error = its if len(batch) == 1 or passes(its) else RefusedTogetherError()
        finally:
            for each in batch:
                each.error = error
                each.news.release()

    def _leave(self, sent: Sent) -> None:
        with self.lock:
            if sent in self.waiting:
                self.waiting.remove(sent)
            if not sent.is_storer:
                return
            if self.waiting:
                self.waiting[0].is_storer = True
                self.waiting[0].news.release()
            else:
                self.is_storing = False
