"""This service's broker: a PostgresBroker on our pool, with our settings."""

from typing import Any

import dramatiq

import log
import settings
from db.database import pool
from messaging.broker import PostgresBroker
from messaging.limits import PostgresLimits
from values import key_bytes


class LogLevel(dramatiq.Middleware):
    """Lets LOG_LEVEL count in worker processes, whose logging the dramatiq command sets up."""

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        log.obey(settings.current().log_level)


broker = PostgresBroker(
    pool,
    listen=lambda: settings.current().broker_listen,
    keys=lambda: map(key_bytes, settings.current().message_keys),
)
broker.add_middleware(LogLevel())
dramatiq.set_broker(broker)

limits = PostgresLimits(pool)  # shared by all workers: `ConcurrentRateLimiter(broker.limits, …)`
