"""A worker's hands on one queue, by the broker's SQL alone: what tests of lines do step by step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg2.extras import Json

from db import queries
from db.connection import Connection
from tests.integration.broker_cases import run

QUEUE = "oven"


class Claimed(NamedTuple):
    """A message that this worker holds."""

    id: str
    attempt: int


class Hands:
    """Sends loaves, claims them and settles them; remembers which loaf is which message."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.worker = queries.broker.register(connection, host="here", pid=1, abilities=["bake"])
        self.ids: dict[str, str] = {}  # by loaf
        self.held: dict[str, Claimed] = {}

    def send(
        self, *loaves: str, key: str | None = "rye", actor: str = "bake", connection: Any = None, **how: Any
    ) -> None:
        """Send them one by one, from SQL."""
        named = "".join(f", {name} => %s" for name in how)
        for loaf in loaves:
            [(message_id,)] = run(
                connection or self.connection,
                f"SELECT dramatiq.send(%s, %s, key => %s{named})::text",
                actor, Json({"loaf": loaf}), key, *how.values(),
            )  # fmt: skip
            self.ids[loaf] = message_id

    def claim(self, limit: int = 10, *, done: Sequence[str] = (), connection: Any = None) -> list[str]:
        """Ack the loaves that are `done`, and claim more: as workers do, in one exchange."""
        acked = [self.held.pop(loaf) for loaf in done]
        rows = queries.broker.exchange(
            connection or self.connection,
            worker=self.worker,
            queue=QUEUE,
            done=[each.id for each in acked],
            attempts=[each.attempt for each in acked],
            limit=limit,
            pgmq_queue=None,
            actor=None,
            after=None,
        )
        loaves = {message_id: loaf for loaf, message_id in self.ids.items()}
        claimed = {loaves[row.message_id]: Claimed(row.message_id, row.attempt) for row in rows}
        self.held |= claimed
        return list(claimed)

    def fence(self, loaf: str) -> dict[str, Any]:
        """By what the database knows the claim of a loaf, which is given up here."""
        claim = self.held.pop(loaf)
        return {"id": claim.id, "attempt": claim.attempt}

    def fences(self, loaf: str) -> dict[str, Any]:
        claim = self.held.pop(loaf)
        return {"ids": [claim.id], "attempts": [claim.attempt]}
