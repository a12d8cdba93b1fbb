"""Routes: which pgmq queue feeds which actor, declared at the actor as `pgmq_queue`."""

import re
from typing import NamedTuple

from dramatiq import Middleware

from errors import SettingsError

LONGEST_PGMQ_NAME = 47  # bytes; pgmq's own limit
PGMQ_NAME = re.compile(r"[a-z0-9_]+(-[a-z0-9_]+)*")  # it folds capitals, and takes quotes and -- for an attack


class Route(NamedTuple):
    """A pgmq queue and the actor that its messages go to."""

    pgmq_queue: str
    actor_name: str


class Routes(dict[str, Route]):
    """The route of each of the broker's queues that has one."""

    def add(self, queue_name: str, pgmq_queue: str, actor_name: str) -> None:
        """Add a route, or raise SettingsError where pgmq cannot carry it or the queue has another."""
        if len(pgmq_queue) > LONGEST_PGMQ_NAME or not PGMQ_NAME.fullmatch(pgmq_queue):
            raise SettingsError(
                f"pgmq queue name {pgmq_queue!r} of actor {actor_name} must be small letters, digits, underscores and "
                f"single dashes, {LONGEST_PGMQ_NAME} bytes at most."
            )
        route = Route(pgmq_queue, actor_name)
        if self.get(queue_name, route) != route:
            raise SettingsError(
                f"Queue {queue_name!r} has a route already ({self[queue_name]}): give {actor_name} another queue."
            )
        if others := [each for each, other in self.items() if other.pgmq_queue == pgmq_queue and each != queue_name]:
            raise SettingsError(f"pgmq queue {pgmq_queue!r} feeds queue {others[0]!r} already: it cannot feed two.")
        self[queue_name] = route


class RouteOption(Middleware):
    """Lets actors be declared with `pgmq_queue`, and say more of what they are called with.

    `required`: what a payload taken as `**payload` must hold. `readable`: which arguments, ids and words that name
    nobody, SQL may read where messages are sealed.
    """

    @property
    def actor_options(self) -> set[str]:
        return {"pgmq_queue", "required", "readable"}
