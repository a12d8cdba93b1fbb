"""The port of the pages: whether a process may serve there, said with the remedy, and whether one does."""

import errno
import socket
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException

from errors import SettingsError

ANSWER_SECONDS = 1
LOOK_SECONDS = 0.2


def check(port: int, patience_seconds: float = 0) -> None:
    """See that a process may serve there; one that is just ending may take so long to leave.

    Raises:
        SettingsError: it may not; why, and what to do.
    """
    latest = time.monotonic() + patience_seconds
    while refusal := _refusal(port):
        if time.monotonic() >= latest:
            raise SettingsError(refusal)
        time.sleep(LOOK_SECONDS)


def _refusal(port: int) -> str:
    try:
        socket.create_server(("0.0.0.0", port)).close()  # noqa: S104 - as the web process will
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return f"PORT: {port} cannot be had ({error.strerror}): set another number."
        return f"PORT: {port} is taken by another program: end that (`ss -ltnp` names it), or set another number."
    return ""


def answers(port: int) -> bool:
    """Whether a web process serves there."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
