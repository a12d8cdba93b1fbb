"""This service's broker: a PostgresBroker on our pool, with our settings."""

import sys
from typing import Any

import dramatiq

import log
import settings
from db.database import pool
from errors import SettingsError
from messaging.broker import PostgresBroker
from messaging.limits import PostgresLimits
from values import key_bytes


class Settled(dramatiq.Middleware):
    """Lets no worker start with wrong settings, and LOG_LEVEL count there: the dramatiq command sets logging up.

    Whoever only imports actors needs no settings.
    """

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        try:
            log.obey(settings.current().log_level)
        except SettingsError as error:  # Dramatiq would log it, and go on
            sys.exit(str(error))


broker = PostgresBroker(
    pool,
    listen=lambda: settings.current().broker_listen,
    keys=lambda: map(key_bytes, settings.current().message_keys),
)
broker.add_middleware(Settled())
dramatiq.set_broker(broker)

limits = PostgresLimits(pool)  # shared by all workers: `ConcurrentRateLimiter(broker.limits, …)`
