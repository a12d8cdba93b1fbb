"""Works through many rows in short transactions: pages of keys, in batches that halve when they fail.

A batch is bounded in rows and bytes, so that its statements end within their time limit however much there is to do.
A batch that fails is tried in halves, down to the row that fails by itself: that one is skipped and named, and the
others are done. What was done stays done; whoever was interrupted begins again.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar

import psycopg2

from db import queries
from db.connection import Connection
from db.trouble import is_lost, is_servers, passes
from errors import DatabaseError
from log import EventLogger, first_line

ROWS = 5_000  # of a batch, at most, and of a page of keys
BYTES = 16 * 2**20  # of a batch's rows as they lie on disk, unless one row alone has more
SLOW_SECONDS = 5  # a batch that took so long is not followed by a larger one
PAUSES = (0, 1, 2, 4, 8, 15, 30)  # seconds between the tries while the server is away: a minute, which a failover takes
ENDINGS = 2  # of its connection, while the server takes others: then they are the batch's doing
TRIES = 3  # for a single row, where what is in its way may pass
MOST_SKIPPED = 1_000  # rows: after so many it is no fault of theirs
MOST_NAMED = 5  # in a run's outcome; the log names all

events = EventLogger(__name__)

T = TypeVar("T")
Transaction = Callable[[], AbstractContextManager[Connection]]
# A query: the `rows` next ones after the key `after` (and the time `at`, in its order).
Page = Callable[..., Iterable["Row"]]
Work = Callable[[Connection, list[Any]], Mapping[str, int]]  # does the rows of these keys, and counts what it did


class Row(Protocol):
    """A row to work on: its key, its size and, where pages go by a time first, the time `at`."""

    @property
    def key(self) -> Any: ...

    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True)
class Skipped:
    """A row that could not be done, and why."""

    name: str
    error: Exception

    def __str__(self) -> str:
        """For logs and outcomes: without the error's words, which may quote the row."""
        return f"{self.name} ({type(self.error).__name__})"

    def told(self) -> str:
        """For the person who asked."""
        return f"{self.name}: {first_line(self.error)}"


@dataclass
class Done:
    """What was done, by kind, and which rows could not be."""

    counts: Counter[str] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, other: "Done") -> None:
        self.counts += other.counts
        self.skipped += other.skipped

    def note(self) -> str:
        """What an outcome adds where rows were skipped."""
        if not self.skipped:
            return ""
        more = ", …" if len(self.skipped) > MOST_NAMED else ""
        return f"; {len(self.skipped)} skipped: {', '.join(map(str, self.skipped[:MOST_NAMED]))}{more}"


class Batches:
    """Rows of one kind that are worked on in batches."""

    def __init__(
        self,
        transaction: Transaction,
        kind: str,
        work: Work,
        *,
        named: Callable[[Any], str] = str,
        told: Callable[[int], object] = lambda _: None,
    ) -> None:
        """`kind`: what a row is; `named`: a key's name, which logs may show; `told` hears how many rows a batch had."""
        self.transaction = transaction
        self.kind = kind
        self.work = work
        self.named = named
        self.told = told
        self.rows = ROWS
        self.done = Done()

    def take(self, rows: Iterable[Row]) -> None:
        """Work through these rows.

        Raises:
            psycopg2.Error: the server stays away.
            DatabaseError: so many rows failed that it cannot be theirs.
        """
        waiting = deque(rows)
        while waiting:
            batch = self._cut(waiting)
            began = time.monotonic()
            try:
                reaches = self._reaches if len(batch) > 1 else lambda: False
                self.done.counts += Counter(patiently(lambda: self._work_on(batch), reaches))  # noqa: B023 - called at once
            except psycopg2.Error as error:
                if len(batch) > 1:
                    self.rows = len(batch) // 2
                    continue
                self.skip(batch[0], error)
            else:
                if time.monotonic() - began < SLOW_SECONDS:
                    self.rows = min(2 * self.rows, ROWS)
            for _ in batch:
                waiting.popleft()
            self.told(len(batch))

    def skip(self, row: Row, error: Exception) -> None:
        """Note that a row cannot be done."""
        skipped = Skipped(f"{self.kind} {self.named(row.key)}", error)
        events.warning("row_skipped", row=skipped.name, error=type(error).__name__)
        self.done.skipped.append(skipped)
        if len(self.done.skipped) == MOST_SKIPPED:
            raise DatabaseError(f"{MOST_SKIPPED} rows could not be done, the last one {skipped.told()}") from error

    def _cut(self, waiting: Iterable[Row]) -> list[Row]:
        """The next batch."""
        batch: list[Row] = []
        size = 0
        for row in islice(waiting, self.rows):
            size += row.bytes
            if batch and size > BYTES:
                break
            batch.append(row)
        return batch

    def _work_on(self, batch: Sequence[Row]) -> Mapping[str, int]:
        """A batch in a transaction of its own; a single row more than once."""
        tries = TRIES if len(batch) == 1 else 1
        while True:
            tries -= 1
            try:
                with self.transaction() as conn:
                    queries.batches.limit_waiting(conn)
                    return self.work(conn, [row.key for row in batch])
            except psycopg2.Error as error:
                if not tries or not passes(error) or is_servers(error):
                    raise
            time.sleep(1)

    def _reaches(self) -> bool:
        """Whether the server takes connections."""
        try:
            with self.transaction() as conn:
                queries.batches.limit_waiting(conn)
        except psycopg2.Error:
            return False
        return True


def work_through(transaction: Transaction, kind: str, page: Page, work: Work, **how: Any) -> Done:
    """Do `work` on every row that `page` finds, as `Batches` does and says."""
    batches = Batches(transaction, kind, work, **how)
    for rows in pages(transaction, page):
        batches.take(rows)
    return batches.done


def pages(transaction: Transaction, page: Page) -> Iterator[list[Any]]:
    """Every row that `page` finds, in pages, each read in a transaction that is over when it is worked on."""
    at, after, rows = None, None, ROWS

    def read() -> list[Any]:
        with transaction() as conn:
            return list(page(conn, at=at, after=after, rows=rows))

    while True:
        try:
            found = patiently(read)
        except psycopg2.Error as error:
            if rows == 1 or not passes(error) or is_servers(error):
                raise
            rows //= 2
            continue
        if not found:
            return
        yield found
        at, after = getattr(found[-1], "at", None), found[-1].key


def hexadecimal(key: bytes) -> str:
    """The name of a digest."""
    return bytes(key).hex()


def patiently(call: Callable[[], T], reaches: Callable[[], bool] = lambda: False) -> T:
    """Call, and again after each pause while the server is away; but not where it `reaches` the server in between.

    A time limit for transactions ends the connection, as a crash does, and psycopg2 is told no more of it.
    """
    endings = 0
    for pause in PAUSES:
        try:
            return call()
        except psycopg2.Error as error:
            endings += is_lost(error) and reaches()
            if not is_servers(error) or endings == ENDINGS:
                raise
            events.warning("database_lost", seconds=pause, error=first_line(error))
        time.sleep(pause)
    return call()
