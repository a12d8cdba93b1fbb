"""This service's broker: on our pool, with our settings."""

import os
import sys
from importlib import import_module
from typing import Any

import dramatiq

import log
import settings
from db.database import pool
from errors import SettingsError
from messaging.limits import PostgresLimits
from messaging.relayed import RelayedBroker
from values import key_bytes

COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"  # OpenTelemetry's own setting, and so are its sisters


class Settled(dramatiq.Middleware):
    """Lets no worker start with wrong settings, and LOG_LEVEL count there: the dramatiq command sets logging up.

    Whoever only imports actors needs no settings.
    """

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        try:
            log.obey(settings.current().log_level)
        except SettingsError as error:  # Dramatiq would log it, and go on
            sys.exit(str(error))


def _spans() -> dramatiq.Middleware:
    """Sends spans; what that takes is loaded only where somebody wants them."""
    try:
        provider = import_module("gateways.telemetry").provider()
    except ImportError:
        remedy = "pip install opentelemetry-exporter-otlp-proto-http, or unset it"
        raise SettingsError(f"{COLLECTOR} is set, and what sends spans is not installed: {remedy}.") from None
    spans: dramatiq.Middleware = import_module("messaging.spans").Spans(
        provider.get_tracer("balansity"), provider.force_flush
    )
    return spans


broker = RelayedBroker(
    pool,
    urls=lambda: settings.current().broker_url,
    listen=lambda: settings.current().broker_listen,
    keys=lambda: map(key_bytes, settings.current().message_keys),
)
broker.add_middleware(Settled())
if os.environ.get(COLLECTOR):
    broker.add_middleware(_spans())
dramatiq.set_broker(broker)

limits = PostgresLimits(pool)  # shared by all workers: `ConcurrentRateLimiter(broker.limits, …)`
