"""How a claim's end is written: with the next exchange, or at once where something else is written with it."""

import time
from typing import Any

import psycopg2
from dramatiq.errors import ConnectionError as BrokerConnectionError

from db.trouble import quoteless
from errors import InvalidMessage
from log import EventLogger, first_line
from messaging.claim import Claim
from messaging.claims import Claims
from messaging.process import Process

INTERRUPTED_DELAY = 1_000  # milliseconds before a message runs again whose ending the database missed
SOON = 10_000  # milliseconds; a retry so soon is looked for at its time, a later one at the next poll

events = EventLogger(__name__)


class Settlement:
    """Settles one queue's claims; worker threads call it, and try again where it raises that the database is away."""

    def __init__(self, process: Process, claims: Claims) -> None:
        self.process = process
        self.claims = claims

    def ack(self, claim: Claim) -> None:
        """Write that a run is over: done, or to be tried again as a hook has asked."""
        claim.interrupted |= claim.interruption.is_open()
        if claim.interrupted:
            self._write("retry", claim, options=None, delay=INTERRUPTED_DELAY, error=claim.failure())
        elif claim.retry_delay is not None:
            self._end("retry", claim, delay=claim.retry_delay)
        elif claim.outcome and not claim.outcome.is_empty:
            self._write("finish", claim)
        else:
            self._release(claim)

    def nack(self, claim: Claim) -> None:
        """Write that a message is given up."""
        self.claims.start(claim)  # one for an unknown actor comes here without having started
        if claim.interrupted:
            self.ack(claim)
        else:
            self._end("reject", claim)

    def _end(self, how: str, claim: Claim, **arguments: Any) -> None:
        """Retry or reject with the claim's new options; one that cannot be stored ends as a dead letter."""
        seal = self.process.seal
        reason = claim.failure(sealed=bool(seal))
        try:
            options = claim.new_options(seal)
        except InvalidMessage as error:
            self._write("reject", claim, options=None, error=f"{reason}\n{error}")
        else:
            self._write(how, claim, options=options, error=reason, **arguments)

    def _write(self, how: str, claim: Claim, **arguments: Any) -> None:
        """Write the end with what the run caused; a lost connection is raised, so that Dramatiq tries again."""
        try:
            ours = self._write_end(how, claim, **arguments)
        except psycopg2.Error as error:
            how, claim.outcome = "reject", None
            ours = self._reject_plainly(claim, f"It could not be settled: {self._said(error)}")
        if how == "retry" and arguments["delay"] <= SOON:
            self.claims.appetite.expect(time.monotonic() + arguments["delay"] / 1000)
        claim.written = True
        self._release(claim)
        _tell(how if ours else "taken over", claim, arguments.get("delay"))

    def _reject_plainly(self, claim: Claim, reason: str) -> bool:
        try:
            return self._write_end("reject", claim, options=None, error=reason)
        except psycopg2.Error as error:  # somebody's trigger, perhaps: until that is mended, this thread tries again
            events.error("message_cannot_be_settled", message_id=claim.message_id, error=quoteless(error))
            raise BrokerConnectionError(quoteless(error)) from error

    def _write_end(self, how: str, claim: Claim, **arguments: Any) -> bool:
        return self.process.settle(how, claim, **arguments)

    def _release(self, claim: Claim) -> None:
        self.claims.settle(claim)

    def _said(self, error: psycopg2.Error) -> str:
        return type(error).__name__ if self.process.seal else first_line(error)


def _tell(how: str, claim: Claim, delay: int | None) -> None:
    """Log what became of a claim, unless it is simply done; `delay` is in milliseconds."""
    queue, actor, message_id, error = claim.queue_name, claim.actor_name, claim.message_id, claim.ended_by()
    if how == "taken over":
        events.info("claim_was_taken_over", queue=queue, actor=actor, message_id=message_id)
    elif claim.is_cancelled():
        events.info("message_cancelled", queue=queue, actor=actor, message_id=message_id)
    elif how == "retry":
        events.info("message_retried", queue=queue, actor=actor, message_id=message_id, error=error, delay_ms=delay)
    elif how == "reject":
        events.warning("message_dead_lettered", queue=queue, actor=actor, message_id=message_id, error=error)
