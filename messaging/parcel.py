"""A message that RabbitMQ has brought: it stands in no table, and its end is written there only where it is no ack."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from dramatiq.message import Message

from db import queries
from messaging.claim import Claim
from messaging.settlement import Settlement


class Packed(NamedTuple):
    """A message as RabbitMQ keeps it: JSON in a queue, with a priority for whoever gives it back."""

    queue_name: str
    priority: int
    body: str


class Bearer(Protocol):
    """The connection that a parcel came by, the only one that may be told of its end."""

    def end(self, parcel: "Parcel") -> None: ...


class Parcel(Claim):
    """A message that this process holds until it tells RabbitMQ otherwise, or their connection ends."""

    def __init__(
        self, message: Message[Any], stored: Mapping[str, Any], priority: int, bearer: Bearer, tag: int
    ) -> None:
        super().__init__(message, 0, priority)
        self.stored = stored  # its fields as they came: perhaps sealed
        self.priority = priority
        self.bearer = bearer
        self._tag = tag  # Dramatiq's name for what RabbitMQ knows it by

    def packed(self, options: str | None = None) -> str:
        """It as JSON, to be stored; with new options, given as JSON, in place of its own."""
        return json.dumps({**self.stored, **({"options": json.loads(options)} if options else {})})


class ParcelSettlement(Settlement):
    """Writes what a parcel's run caused, and gives it back to PostgreSQL where it is to be tried again or is dead.

    Nothing fences it: where RabbitMQ has meanwhile given the message to another, both of their ends count.
    """

    def _write_end(self, how: str, claim: Claim, **arguments: Any) -> bool:
        assert isinstance(claim, Parcel)  # noqa: S101 - for the type checker: its consumer brings no others
        with self.process.transaction() as conn:
            if how != "finish":
                queries.broker.give_back(
                    conn,
                    messages=claim.packed(arguments["options"]),
                    priority=claim.priority,
                    delay=arguments.get("delay", 0),
                    dead=how == "reject",
                    error=arguments["error"],
                    waits_for=None,
                )
            if claim.outcome:
                claim.outcome.write(conn, claim.message_id)
        return True

    def _release(self, claim: Claim) -> None:
        assert isinstance(claim, Parcel)  # noqa: S101 - as above
        claim.bearer.end(claim)
