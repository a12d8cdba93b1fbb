"""Results of messages in PostgreSQL, for actors with `store_results=True`, groups and pipelines."""

import time
from typing import Any

from dramatiq.results import Missing, ResultBackend, ResultMissing, ResultTimeout
from dramatiq.results.backend import DEFAULT_TIMEOUT
from dramatiq.results.result import unwrap_result, wrap_exception, wrap_result

from db import queries
from db.connection import Pool
from errors import InvalidMessage
from messaging.claim import Claim
from messaging.seal import Seal

SEALED = b"sealed "  # how a result begins that is encrypted; no encoder's does
POLL_SECONDS = (0.005, 0.1)  # between looks for a result: twice as long each time


class PostgresResults(ResultBackend):
    """Keeps results in `dramatiq.result`, whatever their size, until their time to live ends."""

    def __init__(self, pool: Pool, seal: Seal | None = None, **options: Any) -> None:
        """With a `seal` that has keys, results are encrypted."""
        super().__init__(**options)
        self.pool = pool
        self.seal = Seal() if seal is None else seal  # asked whether it has keys, it would read the settings

    def get_result(self, message: Any, *, block: bool = False, timeout: int | None = None) -> Any:
        """The result of a message; with `block`, waits for it `timeout` milliseconds at most (10 s).

        Raises:
            ResultMissing: there is none, and `block` is off.
            ResultTimeout: there was none in time.
            ResultFailure: the actor failed.
            KeyMissing: it is encrypted with a key that this process has not.
        """
        deadline = time.monotonic() + (DEFAULT_TIMEOUT if timeout is None else timeout) / 1000
        pause, longest_pause = POLL_SECONDS
        while (result := self._get(self.build_message_key(message))) is Missing:
            if not block:
                raise ResultMissing(message)
            if (left := deadline - time.monotonic()) <= 0:
                raise ResultTimeout(message)
            time.sleep(min(pause, left))
            pause = min(2 * pause, longest_pause)
        return unwrap_result(result)

    def store_result(self, message: Any, result: Any, ttl: int) -> None:
        self._keep(message, wrap_result(result), ttl)

    def store_exception(self, message: Any, exception: BaseException, ttl: int) -> None:
        self._keep(message, wrap_exception(exception), ttl)

    def build_message_key(self, message: Any) -> str:
        return str(message.message_id)

    def _get(self, message_key: str) -> Any:
        with self.pool.transaction() as conn:
            stored = queries.results.find(conn, message_id=message_key)
        return Missing if stored is None else self.encoder.decode(self._opened(bytes(stored)))

    def _store(self, message_key: str, result: Any, ttl: int) -> None:
        self._write(message_key, self._encoded(message_key, result), ttl)

    def _write(self, message_key: str, encoded: bytes, ttl: int) -> None:
        with self.pool.transaction() as conn:
            queries.results.store(conn, message_id=message_key, result=encoded, ttl=ttl)

    def _keep(self, message: Any, wrapped: Any, ttl: int) -> None:
        """Store a result; that of a message which runs here is written with the message's end, if that counts."""
        message_key = self.build_message_key(message)
        encoded = self._encoded(message_key, wrapped)
        if not isinstance(message, Claim):
            self._write(message_key, encoded, ttl)
        elif message.outcome and message.outcome.pool.url() == self.pool.url():
            message.outcome.result, message.outcome.result_ttl = encoded, ttl
        elif message.outcome:
            self._write(message_key, encoded, ttl)  # it has a database of its own

    def _encoded(self, message_key: str, result: Any) -> bytes:
        try:
            encoded = self.encoder.encode(result)
        except (RecursionError, TypeError, ValueError) as error:
            raise InvalidMessage(f"The result of message {message_key} cannot be stored: {error}") from None
        return SEALED + self.seal.close(encoded).encode() if self.seal else encoded

    def _opened(self, stored: bytes) -> bytes:
        return self.seal.open(stored.removeprefix(SEALED).decode()) if stored.startswith(SEALED) else stored
