"""What a run causes through the broker besides its own end; it is written with that, under the same fence, or never."""

from dataclasses import dataclass, field
from typing import NamedTuple

from db import queries
from db.connection import Connection, Pool
from messaging.encoding import BETWEEN


class Batch(NamedTuple):
    """Messages that were sent together, each with its priority and line, all due in `delay` milliseconds."""

    encoded: list[str]
    priorities: list[int]
    delay: int
    lines: list[str | None]
    built: int | None  # when the first of them was, in milliseconds since 1970; None: just now, so none was ever done

    def enqueue(self, conn: Connection, tried: int | None = None) -> None:
        """Write them; `tried`: how many milliseconds ago a first try began whose answer was lost."""
        text = BETWEEN.join(self.encoded)
        queries.broker.enqueue(
            conn,
            messages=text,
            priorities=self.priorities,
            delay=self.delay,
            tried=tried,
            lines=self.lines,
            built=0 if tried else self.built,
        )


@dataclass
class Outcome:
    """A claimed message's: what the hooks that follow its run ask for."""

    pool: Pool  # leads to the database where it is written
    sent: list[Batch] = field(default_factory=list)
    result: bytes | None = None  # encoded
    result_ttl: int = 0  # milliseconds
    group: str | None = None  # that this message is a member of
    callbacks: list[Batch] = field(default_factory=list)  # sent when it is the last of them

    @property
    def is_empty(self) -> bool:
        return not self.sent and not self.group and self.result is None

    def write(self, conn: Connection, message_id: str) -> None:
        """Write it in the transaction in which the message ends."""
        if self.result is not None:
            queries.results.store(conn, message_id=message_id, result=self.result, ttl=self.result_ttl)
        complete = self.group and queries.groups.count_member(conn, group=self.group, member=message_id)
        for batch in [*self.sent, *(self.callbacks if complete else [])]:
            batch.enqueue(conn)
