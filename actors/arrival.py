"""A worker process arrives: what was due before a restore is told from what comes after it."""

from typing import Any

import dramatiq

from broker import broker
from mail import restore


class Arrival(dramatiq.Middleware):
    """Looks for a restore before the process claims its first message."""

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        restore.look()


broker.add_middleware(Arrival())
