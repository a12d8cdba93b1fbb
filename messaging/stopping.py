"""How a worker process is asked to stop: once, however often the request reaches it."""

import math
import signal
import time
from types import FrameType
from typing import Any

from dramatiq import Middleware, cli

SAME_REQUEST_SECONDS = 5.0
REQUESTS = (signal.SIGTERM, signal.SIGHUP)


class StopOnce(Middleware):
    """Takes signals to stop that come within a few seconds for one request.

    Whoever signals a whole process group (honcho, systemd, Heroku) reaches a worker process twice: directly, and
    through Dramatiq's parent process, which passes on what it gets. To Dramatiq, the second one means "kill".
    """

    def after_process_boot(self, broker: Any) -> None:
        del broker
        stop = signal.getsignal(signal.SIGTERM)  # Dramatiq's handler of both
        if getattr(stop, "__module__", None) != cli.__name__:
            return  # a program of somebody else's that has a worker in it: it ends as it likes
        asked_at = -math.inf

        def ask(number: int, frame: FrameType | None) -> None:
            nonlocal asked_at
            if callable(stop) and time.monotonic() - asked_at > SAME_REQUEST_SECONDS:
                asked_at = time.monotonic()
                stop(number, frame)

        for request in REQUESTS:
            signal.signal(request, ask)
