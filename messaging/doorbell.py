"""The doorbell: which queues rang on a connection, and whether it hears at all."""

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from itertools import count

from psycopg2.extensions import quote_ident

from db import queries
from db.connection import Connection

BELLS = "dramatiq.bells"  # on which a queue is passed on
TRIAL_SECONDS = 60.0  # between two trials: at each notification PostgreSQL wakes every session that listens to anything


class Doorbell:
    """Listens on one connection, and is rung on others now and then to see whether it hears.

    A pooler that lends connections for a transaction takes LISTEN and carries nothing; one that resets a session ends
    it. Neither is an error: messages would merely start up to a second later, and nobody would know why.
    """

    def __init__(self) -> None:
        self.own_channel = f"dramatiq.bell.{uuid.uuid4().hex}"
        self.listening: set[str] = set()
        self.connected = False
        self.passed_on: set[str] = set()  # queues that others have no threads for, since the last time
        self.deaf = False
        self.numbers = count(1)
        self.heard = 0  # the number of the last trial that was heard
        self.tried: tuple[int, float] | None = None  # that of the last one, and when it had been rung
        self.try_at = 0.0  # when to try it out again

    def disconnected(self) -> None:
        """Note that there is another connection from now on."""
        self.listening, self.passed_on = set(), set()
        self.connected = False
        self.tried, self.try_at = None, 0.0

    def listen(self, conn: Connection, queue_names: Iterable[str] = ()) -> None:
        """Listen for these queues, too; always for its own trials, and for what others pass on."""
        fresh = set(queue_names) - self.listening
        channels = [*map(_channel, fresh), *([] if self.connected else [self.own_channel, BELLS])]
        with conn.cursor() as cursor:
            for channel in channels:
                cursor.execute(f"LISTEN {quote_ident(channel, conn)}")
        self.listening |= fresh
        self.connected = True

    def ignore(self, conn: Connection, queue_names: Iterable[str]) -> None:
        """Listen for these queues no more: somebody else does."""
        known = self.listening & set(queue_names)
        with conn.cursor() as cursor:
            for queue_name in known:
                cursor.execute(f"UNLISTEN {quote_ident(_channel(queue_name), conn)}")
        self.listening -= known

    def rung(self, conn: Connection) -> set[str]:
        """The queues of those listened for that rang since the last time."""
        conn.poll()
        notices = list(conn.notifies)
        conn.notifies.clear()
        for notice in notices:
            if notice.channel == self.own_channel:
                with suppress(ValueError):  # of somebody who has seen the channel's name
                    self.heard, self.deaf = max(self.heard, int(notice.payload)), False
            elif notice.channel == BELLS:
                self.passed_on.add(notice.payload)
        channels = {notice.channel for notice in notices}
        return {queue_name for queue_name in self.listening if _channel(queue_name) in channels}

    def try_out(self, conn: Connection) -> None:
        """Ring it on a connection of somebody else's, as senders do; called by the consumers' threads."""
        if self.connected:
            number = next(self.numbers)
            self.try_at = time.monotonic() + TRIAL_SECONDS
            queries.broker.try_bell(conn, channel=self.own_channel, number=number)
            if not self.tried or self.tried[0] <= self.heard:  # else the one before is still to be heard
                self.tried = (number, time.monotonic())

    def turns_out_deaf(self, patience_seconds: float) -> bool:
        """Whether a trial was not heard for so long, where the one before was; it listens anew then."""
        if not self.tried or self.tried[0] <= self.heard or time.monotonic() - self.tried[1] < patience_seconds:
            return False
        self.disconnected()
        was_deaf, self.deaf = self.deaf, True
        return not was_deaf


def _channel(queue_name: str) -> str:
    return f"dramatiq.{queue_name}.enqueue"
