"""HTTP for the gateways: over kept connections, in bounded time, once, and telling what was certainly not sent."""

from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from errors import OutcomeUnknown, ProviderAway, RetryableError

# Together below the time limits of the actors that wait.
CONNECT_SECONDS = 5
WRITE_SECONDS = 60  # for the whole request: 25 MB of report at 3.3 Mbit/s
ANSWER_SECONDS = 20
CONNECTIONS = 32  # kept open per process and server; more threads than that open their own for a moment


def request(method: str, url: str, headers: Mapping[str, str], content: Any = None) -> urllib3.BaseHTTPResponse:
    """The server's answer, whatever its status; `content` goes out as JSON.

    Raises:
        ProviderAway: the server cannot be reached.
        RetryableError: the request was not written to its end: it cannot have been taken.
        OutcomeUnknown: no answer came; the text names the kind of error only, for others may quote secrets.
    """
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
    try:
        return connections.request(
            method, url, headers=headers, json=content, timeout=timeout, retries=False, redirect=False
        )
    except HTTPError as error:
        host = urllib3.util.parse_url(url).host
        raise OutcomeUnknown(f"{host} did not answer: {type(error).__name__}") from None


class OutwardConnection(HTTPConnection):
    """A connection that tells apart what fails before the request is written: urllib3's own errors do not."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, HTTPError) as error:
            reason = f"{type(error).__name__}: {error.__cause__ or error}"
            raise ProviderAway(f"{self.host} cannot be reached: {reason}") from error

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.is_closed:
            self.connect()
        self.timeout = WRITE_SECONDS  # urllib3 would allow no more than the time for connecting
        try:
            super().request(*arguments, **options)
        except TimeoutError as error:
            raise RetryableError(f"{self.host} did not take the request in {WRITE_SECONDS} s") from error


class OutwardTlsConnection(OutwardConnection, HTTPSConnection):
    """The same over TLS."""


class OutwardPool(urllib3.HTTPConnectionPool):
    ConnectionCls = OutwardConnection


class OutwardTlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = OutwardTlsConnection


connections = urllib3.PoolManager(maxsize=CONNECTIONS)
connections.pool_classes_by_scheme = {"http": OutwardPool, "https": OutwardTlsPool}
