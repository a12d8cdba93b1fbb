"""Who does something at Dramatiq's hooks, and what it means for a message when they fail."""

from typing import Any

import psycopg2
from dramatiq import Broker, Middleware
from dramatiq.errors import ConnectionError as BrokerConnectionError

from db.trouble import passes
from errors import InvalidMessage
from log import EventLogger
from messaging.claim import Claim

events = EventLogger(__name__)


class Listeners(dict[str, list[Middleware]]):
    """Of some middleware, those who do something at a hook: most do nothing at most, and asking them costs time."""

    def __init__(self, middleware: list[Middleware]) -> None:
        super().__init__()
        self.middleware = list(middleware)

    def __missing__(self, hook: str) -> list[Middleware]:
        self[hook] = listening = self.at(hook)
        return listening

    def at(self, hook: str) -> list[Middleware]:
        """Who does something at a hook now: by its class, or by what somebody set on the object."""
        idle = getattr(Middleware, hook)
        return [each for each in self.middleware if getattr(getattr(each, hook), "__func__", None) is not idle]

    def conclude(self, broker: Broker, claim: Claim, **results: Any) -> None:
        """Tell that a message was processed, as Dramatiq does; but it is not done before its hooks are.

        Hooks send the next message of a pipeline and keep results. Where they could not, for want of the database, the
        message runs again; where they never will, it becomes a dead letter, and so does a failure that no hook retries.
        """
        for middleware in reversed(self["after_process_message"]):
            try:
                middleware.after_process_message(broker, claim, **results)
            except BrokerConnectionError:
                claim.interrupted = True
            except InvalidMessage as error:
                claim.fail()  # type: ignore[no-untyped-call]
                claim.stuff_exception(error)  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001 - a guest's hook; Dramatiq, too, logs it and goes on
                if isinstance(error, psycopg2.Error) and passes(error):
                    claim.interrupted = True
                    continue
                events.error("hook_failed", middleware=type(middleware).__name__, with_traceback=True)
        if results.get("exception") and claim.retry_delay is None and not claim.interrupted:
            claim.fail()  # type: ignore[no-untyped-call]
