"""Addresses of others that are to know something: a webhook for alarms, and one that awaits a beat."""

from typing import Any

import settings
from errors import RetryableError
from gateways import http


def tell(text: str) -> None:
    """Post a text to ALARM_WEBHOOK_URL, in the shape of ALARM_WEBHOOK_TEMPLATE.

    Raises:
        RetryableError, OutcomeUnknown: it was not taken, or nobody knows.
    """
    current = settings.current()
    _call("POST", current.alarm_webhook_url, current.alarm_webhook_template.filled(text))


def beat() -> None:
    """Ask for HEARTBEAT_URL.

    Raises:
        RetryableError, OutcomeUnknown: as above.
    """
    _call("GET", settings.current().heartbeat_url)


def _call(method: str, url: str, content: Any = None) -> None:
    answer = http.request(method, url, {"User-Agent": "balansity"}, content)
    if answer.status >= 300:  # its words may quote the address, which is secret
        raise RetryableError(f"It answered {answer.status}")
