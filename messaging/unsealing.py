"""Rows that were claimed become claims: opened where they were sealed, and sealed where they came in plain."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from dramatiq.errors import ConnectionError as BrokerConnectionError
from dramatiq.message import Message

from errors import InvalidMessage, KeyMissing
from log import EventLogger
from messaging.claim import Claim, fences, in_order
from messaging.process import Process
from messaging.seal import ability

events = EventLogger(__name__)


@dataclass
class Unsealing:
    """Reads what one queue's exchanges claimed."""

    process: Process
    queue_name: str
    told: set[str] = field(default_factory=set)  # names of keys whose lack was said

    def claims(self, rows: Iterable[Any]) -> list[Claim]:
        """The claims that this process can read. Without its key a message waits for a process that has it."""
        seal = self.process.seal
        seals = bool(seal)  # asked once: it asks the settings
        claims: list[Claim] = []
        plain: dict[str, str] = {}
        locked: dict[Claim, str] = {}
        for message_id, attempt, priority, message in rows:
            try:
                if isinstance(message, dict):  # this process has just sealed it, and knows what it says
                    claims.append(self._claim(message_id, attempt, priority, message))
                    continue
                # Here and not by psycopg2: one that cannot be decoded must not fail the batch.
                fields = json.loads(message)
                if seals and "sealed" not in fields:
                    plain[message_id] = self._sealed(fields)
                try:
                    fields = seal.opened(fields)
                    claims.append(self._claim(message_id, attempt, priority, fields))
                except KeyMissing as missing:
                    locked[self._claim(message_id, attempt, priority, fields)] = missing.key_name
            except (AttributeError, InvalidMessage, KeyError, RecursionError, TypeError, ValueError) as error:
                self._reject(message_id, attempt, error)
        if plain:
            self._seal(plain)
        if locked:
            self._set_aside(locked)
        return claims

    def _claim(self, message_id: str, attempt: int, priority: int, fields: dict[str, Any]) -> Claim:
        fields["options"].pop("eta", None)  # due now, whatever an older producer wrote
        fields |= {"message_id": message_id, "queue_name": self.queue_name}  # by these it is settled
        return Claim(Message(**fields), attempt, priority)

    def _sealed(self, fields: dict[str, Any]) -> str:
        readable = self.process.repertoire.readable(fields["actor_name"])
        return json.dumps(self.process.seal.rest(fields, readable))

    def _seal(self, plain: dict[str, str]) -> None:
        """Seal what SQL sent; where that cannot be written, the purge finds it plain."""
        ids = sorted(plain)
        contents = [plain[each] for each in ids]
        try:
            self.process.call("seal", ids=ids, contents=contents, worker=self.process.pulse.worker_id)
        except (BrokerConnectionError, psycopg2.Error) as error:
            events.warning("messages_left_plain", queue=self.queue_name, count=len(ids), error=type(error).__name__)

    def _reject(self, message_id: str, attempt: int, error: Exception) -> None:
        said = type(error).__name__ if self.process.seal and not isinstance(error, InvalidMessage) else error
        reason = f"Message {message_id} is not a Dramatiq message: {said}"
        with suppress(BrokerConnectionError):  # then the next audit frees it, and it comes here again
            self.process.call("reject", id=message_id, attempt=attempt, options=None, error=reason)
        events.error("message_dead_lettered", queue=self.queue_name, message_id=message_id, reason="not a message")

    def _set_aside(self, locked: dict[Claim, str]) -> None:
        claims = in_order(locked)
        with suppress(BrokerConnectionError):  # as above
            self.process.call(
                "set_aside",
                queue=self.queue_name,
                **fences(claims),
                actors=[ability(locked[claim]) for claim in claims],
                signatures=[None] * len(claims),
                known=list(self.process.repertoire.actors),
            )
        for name in {*locked.values()} - self.told:
            events.error("message_key_missing", queue=self.queue_name, key=name)
            self.told.add(name)
