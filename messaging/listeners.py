"""Who does something at Dramatiq's hooks, and what it means for a message when they fail."""

from typing import Any

import psycopg2
from dramatiq import Middleware
from dramatiq.errors import ConnectionError as BrokerConnectionError
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    GroupCallbacks,
    MiddlewareError,
    Pipelines,
    Retries,
    ShutdownNotifications,
    TimeLimit,
)
from dramatiq.results import Results

from db.trouble import passes
from errors import InvalidMessage
from log import EventLogger
from messaging.claim import Claim
from messaging.groups import CountedGroups
from messaging.intake import Intake
from messaging.outcome import Outcome
from messaging.results import PostgresResults

events = EventLogger(__name__)


ONLY_ONCE = (
    AgeLimit,
    TimeLimit,
    ShutdownNotifications,
    Callbacks,
    Pipelines,
    Retries,
    CurrentMessage,
    Results,
    GroupCallbacks,
)


class Listeners(dict[str, list[Middleware]]):
    """Of some middleware, those who do something at a hook: most do nothing at most, and asking them costs time.

    Of a kind of `ONLY_ONCE` one is heard: two would send a pipeline's next message twice, or retry twice.
    """

    def __init__(self, middleware: list[Middleware], intake: Intake) -> None:
        super().__init__()
        self.intake = intake
        self.middleware = list(middleware)
        lone = [_counting([each for each in middleware if isinstance(each, kind)]) for kind in ONLY_ONCE]
        self._heard = [each for each in middleware if each in lone or not isinstance(each, ONLY_ONCE)]

    def __missing__(self, hook: str) -> list[Middleware]:
        self[hook] = listening = self.at(hook)
        return listening

    def at(self, hook: str) -> list[Middleware]:
        """Who does something at a hook now: by its class, or by what somebody set on the object."""
        idle = getattr(Middleware, hook)
        return [each for each in self._heard if getattr(getattr(each, hook), "__func__", None) is not idle]

    def tell(self, broker: Any, hook: str, *arguments: Any, **options: Any) -> None:
        """Tell that something is about to be done, as Dramatiq's `emit_before` tells everybody.

        Raises:
            MiddlewareError: a hook says that it is not to be done, or done otherwise.
        """
        for middleware in self[hook]:
            try:
                getattr(middleware, hook)(broker, *arguments, **options)
            except MiddlewareError:
                raise
            except Exception:  # noqa: BLE001 - a guest's hook; Dramatiq, too, logs it and goes on
                events.error("hook_failed", middleware=type(middleware).__name__, with_traceback=True)

    def conclude(self, broker: Any, hook: str, claim: Claim, **results: Any) -> None:
        """Tell that a message was processed or skipped, as Dramatiq does; but it is not done before its hooks are.

        Hooks send the next message of a pipeline and keep results: that is collected, and written with the message's
        end or not at all. Where one could not do its part for want of the database, the message runs again; where it
        never will, it becomes a dead letter, and so does a failure that no hook retries.
        """
        claim.interruption.end()
        claim.outcome = Outcome(self.intake.pool)
        with self.intake.collecting(claim.outcome.sent):
            for middleware in reversed(self[hook]):
                try:
                    getattr(middleware, hook)(broker, claim, **results)
                except Exception as error:  # noqa: BLE001 - a guest's hook; Dramatiq, too, logs it and goes on
                    _note(error, middleware, claim)
            if results.get("exception") and claim.retry_delay is None and not claim.interrupted:
                claim.fail()  # type: ignore[no-untyped-call]
            if claim.failed:
                self._keep_failure(broker, claim)
        if claim.interrupted:
            claim.outcome = None

    def _keep_failure(self, broker: Any, claim: Claim) -> None:
        """Let results be told of the failure before the nack, with which theirs is written."""
        for middleware in self["after_nack"]:
            if isinstance(middleware, Results) and isinstance(middleware.backend, PostgresResults):
                try:
                    middleware.after_nack(broker, claim)
                except Exception as error:  # noqa: BLE001 - as above
                    _note(error, middleware, claim)


def _note(error: Exception, middleware: Middleware, claim: Claim) -> None:
    """What it means for a message that a hook failed."""
    if isinstance(error, InvalidMessage):
        claim.fail()  # type: ignore[no-untyped-call]
        claim.stuff_exception(error)  # type: ignore[no-untyped-call]
    elif isinstance(error, BrokerConnectionError) or (isinstance(error, psycopg2.Error) and passes(error)):
        claim.interrupted = True
    else:
        events.error("hook_failed", middleware=type(middleware).__name__, with_traceback=True)


def _counting(kin: list[Middleware]) -> Middleware | None:
    """Of middleware of a kind that may stand only once, the one that counts: the last, but our own count of groups."""
    return next((each for each in kin if isinstance(each, CountedGroups)), kin[-1] if kin else None)
