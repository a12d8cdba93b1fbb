"""The way into the queue: messages are stored together, in a transaction of their own or in their sender's."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import psycopg2
from dramatiq.errors import ConnectionError as BrokerConnectionError
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from db import binary, queries
from db.connection import Connection, Pool
from db.trouble import passes, spoils
from messaging.encoding import ENCODE, encoded, refuse_twins, refused
from messaging.gathering import Gathering, RefusedTogetherError, Row
from messaging.lines import WAITING, keyless
from messaging.outcome import Batch
from messaging.seal import Seal
from messaging.tracing import carried

SEND_ATTEMPTS = 3
QUEUED = b"queued"
NETWORK_MILLISECONDS = 5_000  # that a statement needs to the server, at most
JUST_BUILT = 5  # milliseconds ago, at most: nothing was sent, run and done since, to be sent anew
BUILT_IN_ONE = 20  # messages of a batch that are built in a millisecond, at the slowest
FEWEST_COPIED = 64  # messages; for fewer, the round trips of a transaction cost more than copying saves
COPY = (  # in binary form: of text, an error would quote the line
    "COPY dramatiq.live "
    "(message_id, available_at, queue_name, state, priority, delayed, line, waits_for, position, message) "
    "FROM STDIN (FORMAT binary)"
)
COPY_DUE = (
    "COPY dramatiq.live (message_id, queue_name, state, priority, message) FROM STDIN (FORMAT binary); "
    "SELECT dramatiq.ring(%s)"
)


@dataclass
class Joined:
    """A transaction that sends join until its block is over: a task that was begun in it may outlive it."""

    connection: Connection
    over: bool = False


class Intake:
    """Stores messages in `dramatiq.queue` and rings for them."""

    def __init__(
        self,
        pool: Pool,
        seal: Seal,
        readable: Callable[[str], Collection[str]],
        line: Callable[[Any], str | None],
    ) -> None:
        """`readable` tells which arguments of an actor are not sealed, `line` in which line a message waits."""
        self.pool = pool
        self.seal = seal
        self.readable = readable
        self.line = line
        self.gathering = Gathering(self._copy_due)
        # The transaction that sends join: of this thread, or of this one task among a loop's.
        self.caller: ContextVar[Joined | None] = ContextVar("caller", default=None)
        self.collected: ContextVar[list[Batch] | None] = ContextVar("collected", default=None)

    @contextmanager
    def joining(self, connection: Connection) -> Iterator[None]:
        """Store what this thread or task sends in the block in the transaction of `connection`.

        Raises:
            ValueError: the connection has none: it is in autocommit mode.
        """
        if connection.autocommit and connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            raise ValueError("The connection is in autocommit mode: what is sent could not be rolled back with it.")
        joined = Joined(connection)
        before = self.caller.set(joined)
        try:
            yield
        finally:
            joined.over = True
            self.caller.reset(before)

    @contextmanager
    def collecting(self, batches: list[Batch]) -> Iterator[None]:
        """Keep what is sent in the block in `batches`, for whoever writes them later, or never."""
        before = self.collected.set(batches)
        try:
            yield
        finally:
            self.collected.reset(before)

    def is_joined(self) -> bool:
        """Whether what is sent now is written with something else: a caller's transaction, or a run's end."""
        joined = self.caller.get()
        return self.collected.get() is not None or bool(joined and not joined.over)

    def store(self, batch: list[Any], priorities: list[int], delay: int) -> None:
        """Store messages, due in `delay` milliseconds: all of them or none.

        Raises:
            InvalidMessage: one of them cannot be stored; it is named.
            dramatiq.errors.ConnectionError: the database cannot be reached.
        """
        messages = Batch(self.encoded(batch), priorities, delay, [self.line(each) for each in batch], _built(batch))
        refuse_twins(batch)
        joined = self.caller.get()
        caller = joined.connection if joined and not joined.over else None
        if (collected := self.collected.get()) is not None and not caller:
            collected.append(messages)
            return
        began, tried = time.monotonic(), None
        for _ in range(SEND_ATTEMPTS):
            try:
                if not tried and not caller and self._copied(batch, messages):
                    return
                with nullcontext(caller) if caller else self.pool.single_statements() as conn:
                    messages.enqueue(conn, tried)
                    return
            except psycopg2.DataError as error:
                raise refused(batch, error.diag.message_detail or error.diag.message_primary or "") from None
            except psycopg2.Error as error:
                if not passes(error):
                    raise
                lost = error
                if caller or not spoils(error):
                    break
                tried = int(1000 * (time.monotonic() - began)) + NETWORK_MILLISECONDS
        raise BrokerConnectionError(str(lost)) from lost

    def encoded(self, batch: list[Any]) -> list[str]:
        """The messages as they will lie in the database; one that cannot be stored is refused by what it says.

        Raises:
            InvalidMessage: as `store`.
        """
        fields = [keyless(carried(vars(each))) for each in batch]
        plain = [encoded(*each) for each in zip(batch, fields, strict=True)]
        if not self.seal:
            return plain
        return [ENCODE(self.seal.message(each, self.readable(each["actor_name"]))) for each in fields]

    def _copied(self, batch: list[Any], messages: Batch) -> bool:
        """Copy new messages in, for less than inserting them costs; false, with nothing done, where that cannot be."""
        try:
            if len(batch) == 1 and not messages.delay and not messages.lines[0] and messages.built is None:
                self.gathering.store(batch[0].queue_name, _due(batch[0], messages))
            elif len(batch) >= FEWEST_COPIED:
                self._copy_many(batch, messages)
            else:
                return False
        except (UniqueViolation, RefusedTogetherError):  # one of them exists, and starts over
            return False
        return True

    def _copy_due(self, queue_names: list[str], rows: list[Row]) -> None:
        """Messages that are due now, in a single exchange with the server, which makes that one transaction."""
        with self.pool.single_statements() as conn, conn.cursor() as cursor:
            cursor.copy_expert(cursor.mogrify(COPY_DUE, (queue_names,)), BytesIO(binary.rows(rows)))

    def _copy_many(self, batch: list[Any], messages: Batch) -> None:
        """All of them or none, in the order of their ids, as dramatiq.enqueue does, too.

        Who waits for another sender of the same messages then holds none that the other waits for. Their positions
        keep the order in which they were sent.
        """
        with self.pool.transaction() as conn, conn.cursor() as cursor:
            due, positions = queries.broker.places(conn, count=len(batch), delay=messages.delay)
            at, delayed = binary.bigint(due), binary.boolean(messages.delay > 0)
            rows = [
                (
                    *(_uuid(each), at, each.queue_name.encode(), QUEUED, binary.integer(priority), delayed),
                    *((line.encode(), WAITING) if line else (None, None)),
                    *(binary.bigint(place), binary.JSONB + message.encode()),
                )
                for each, message, priority, line, place in zip(
                    batch, messages.encoded, messages.priorities, messages.lines, positions, strict=True
                )
            ]
            rows.sort()
            cursor.copy_expert(COPY, BytesIO(binary.rows(rows)))
            if messages.built is not None:
                ids = [each.message_id for each in batch]
                queries.broker.start_over(conn, ids=ids, built=messages.built)
            if any(messages.lines):
                queries.broker.note_change(conn, lines=messages.lines, ended=False)
            queries.broker.ring(conn, queues=list({each.queue_name for each in batch}))


def _due(message: Any, messages: Batch) -> Row:
    return (
        *(_uuid(message), message.queue_name.encode(), QUEUED, binary.integer(messages.priorities[0])),
        binary.JSONB + messages.encoded[0].encode(),
    )


def _built(batch: list[Any]) -> int | None:
    """When the first of them was built, by this process's clock; None where all were just now."""
    first = min(int(each.message_timestamp) for each in batch)
    is_new = 0 <= int(1000 * time.time()) - first <= JUST_BUILT + len(batch) // BUILT_IN_ONE
    return None if is_new else first


def _uuid(message: Any) -> bytes:
    return bytes.fromhex(message.message_id.replace("-", ""))
