"""One worker process: what its consumers and its pulse share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg2
from dramatiq.errors import ConnectionError as BrokerConnectionError

from db import queries
from db.batches import work_through
from db.connection import Connection, Pool
from db.trouble import passes
from messaging.appetite import Load
from messaging.claim import Claim
from messaging.claims import Claims
from messaging.pulse import Pulse
from messaging.repertoire import Repertoire
from messaging.seal import Seal
from messaging.watch import Watch


@dataclass(frozen=True)
class Process:
    """Its way to the database, its claims by queue, its pulse, and what it can run."""

    pool: Pool
    claims: dict[str, Claims]
    pulse: Pulse
    repertoire: Repertoire
    watch: Watch = field(default_factory=Watch)

    @property
    def seal(self) -> Seal:
        """What encrypts its messages."""
        return self.repertoire.seal

    def call(self, name: str, **arguments: Any) -> Any:
        """Run one of the broker's named queries in a transaction of its own.

        Raises:
            dramatiq.errors.ConnectionError: the database cannot be reached, or takes nothing now.
        """
        with self.transaction() as conn:
            return getattr(queries.broker, name)(conn, **arguments)

    def settle(self, how: str, claim: Claim, **arguments: Any) -> bool:
        """Finish, retry or reject a claim, and write what its run caused; false, and nothing is, if it was taken over.

        Raises:
            dramatiq.errors.ConnectionError: as `call`.
        """
        with self.transaction() as conn:
            query = getattr(queries.broker, how)
            ours = bool(query(conn, id=claim.message_id, attempt=claim.attempt, **arguments))
            if ours and claim.outcome:
                claim.outcome.write(conn, claim.message_id)
            return ours

    def flush(self, queue: str) -> None:
        """Drop the messages of a queue that nobody has claimed, dead letters too, in batches.

        Raises:
            dramatiq.errors.ConnectionError: as `call`.
        """

        def drop(conn: Connection, keys: list[str]) -> dict[str, int]:
            return {"dropped": queries.broker.flush(conn, keys=keys)}

        with _connection_errors():
            work_through(self.pool.transaction, "message", partial(queries.broker.unclaimed, queue=queue), drop)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of the block's own.

        Raises:
            dramatiq.errors.ConnectionError: as `call`.
        """
        with _connection_errors(), self.pool.transaction() as conn:
            yield conn

    def look(self, soon_seconds: float) -> None:
        """Look for all queues that rest; where that fails each looks for itself, and says what is wrong."""
        queues = sorted(self.pulse.rest.queues)
        try:
            with self.pool.single_statements() as conn:
                news = list(queries.broker.news(conn, worker=self.pulse.worker_id, queues=queues))
        except psycopg2.Error:
            for queue in queues:
                self.claims[queue].ring()
            return
        now = time.monotonic()
        for queue, seconds in news:
            if seconds <= 0:
                self.claims[queue].ring()
            elif seconds < soon_seconds:
                self.claims[queue].expect(now + seconds)

    def load(self) -> Load:
        """What its queues come to now."""
        everyone = list(self.claims.values())
        return Load(
            running=sum(len(claims.held) - len(claims.settled) for claims in everyone),
            rate=sum(claims.appetite.rate for claims in everyone),
            rivals=sum(1 for claims in everyone if claims.held or claims.appetite.more),
            may_claim=self.pulse.may_claim(),
        )


@contextmanager
def _connection_errors() -> Iterator[None]:
    """As Dramatiq knows them: it waits for what passes."""
    try:
        yield
    except psycopg2.Error as error:
        if not passes(error):
            raise
        raise BrokerConnectionError(str(error)) from error
