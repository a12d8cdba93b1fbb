"""Lets a claim run only while it is surely this process's."""

import gc
import logging
from typing import Any

from dramatiq import Middleware
from dramatiq.middleware import SkipMessage

from messaging import tracing
from messaging.cancelling import Cancelled
from messaging.claim import Claim
from messaging.parcel import Parcel
from messaging.process import Process

EXCHANGES_AT_ONCE = 2  # connections that all consumers of a process share, beside one for each of its threads


class Custody(Middleware):
    """Starts no claim that others may have taken over, and hands unstarted ones back at shutdown."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def after_declare_actor(self, _broker: Any, actor: Any) -> None:
        actor.logger.setLevel(logging.INFO)  # what it logs below are its arguments

    def before_process_message(self, _broker: Any, message: Any) -> None:
        if not isinstance(message, Claim):
            return
        if not isinstance(message, Parcel):  # of which RabbitMQ says whose it is
            claims = self.process.claims[message.queue_name]
            if self.process.pulse.lapsed():
                claims.hand_back()
            if not claims.start(message):
                raise SkipMessage("It was handed back for another worker to run.")
        tracing.enter(message)
        message.interruption.begin()

    def after_process_message(
        self, _broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Give up at once what a person has cancelled, and what its actor cannot be called with."""
        del result
        if not isinstance(message, Claim):
            return
        misfit = isinstance(exception, TypeError) and not self.process.repertoire.can_run(message)
        if misfit or isinstance(exception, Cancelled):
            message.fail()  # type: ignore[no-untyped-call]

    def before_worker_boot(self, _broker: Any, worker: Any) -> None:
        gc.freeze()  # what the imports left stays: a full collection that walks it stops every thread for 80 ms
        self.process.pulse.closing = False
        self.process.pool.resize(worker.worker_threads + EXCHANGES_AT_ONCE)

    def before_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        self.process.pulse.closing = True
        for claims in self.process.claims.values():
            claims.hand_back()
