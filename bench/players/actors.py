"""What every contestant on Dramatiq shares: two actors that do nothing, and how to send to them."""

import time
from typing import Any

import dramatiq

from bench import probe
from bench.players.pace import at_pace


class Actors:
    """The actors, declared on a contestant's broker."""

    def __init__(self, broker: Any) -> None:
        dramatiq.set_broker(broker)
        self.noop = dramatiq.actor(broker=broker, actor_name="noop")(noop)
        self.note = dramatiq.actor(broker=broker, actor_name="note")(note)

    def send(self, count: int) -> None:
        for number in range(count):
            self.noop.send(number)

    def pace(self, count: int, per_second: int) -> None:
        at_pace(count, per_second, lambda: self.note.send(time.monotonic_ns()))


def noop(number: int) -> None:
    del number
    probe.touch()


def note(sent_at: int) -> None:
    probe.note(sent_at)


def lean_middleware() -> list[Any]:
    """Dramatiq's default middleware without Prometheus, which is a web server of its own: the same for everyone."""
    from dramatiq.middleware import default_middleware  # noqa: PLC0415 - only where the contestant has a say

    return [middleware() for middleware in default_middleware if middleware.__name__ != "Prometheus"]
