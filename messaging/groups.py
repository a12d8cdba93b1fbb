"""Groups with completion callbacks: their members are counted by their ids, with the ack of each."""

from typing import Any

from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import RateLimiterBackend

from db import queries
from db.connection import Pool
from messaging.claim import Claim
from messaging.intake import Intake


class Groups(RateLimiterBackend):
    """The barrier that Dramatiq waits at: it stands until all members have ended, and SQL counts who has come."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def add(self, key: str, value: int, ttl: int) -> bool:
        del ttl  # a day; a member may wait longer, for a provider or for a person
        with self.pool.transaction() as conn:
            return bool(queries.groups.begin(conn, group=key, members=value))

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        """False, as for the last member: whether this one is, is known when its end is written (see `Outcome`)."""
        del key, amount, minimum, ttl
        return False

    def wait_notify(self, key: str, ttl: int) -> None:
        """Nobody waits."""


class CountedGroups(GroupCallbacks):
    """Takes the place of Dramatiq's, which counts how often it was called: a second run would count once more."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(Groups(intake.pool))  # type: ignore[no-untyped-call]
        self.intake = intake

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        group = message.options.get("group_completion_uuid")
        if group and exception is None and isinstance(message, Claim) and message.outcome:
            message.outcome.group = group
            with self.intake.collecting(message.outcome.callbacks):
                super().after_process_message(broker, message, result=result, exception=exception)  # type: ignore[no-untyped-call]
