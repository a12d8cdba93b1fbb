"""The Procfile's processes, and what they need to run as children of one of our commands."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import honcho.environ

import settings

PROCFILE = settings.ROOT / "Procfile"


def processes() -> dict[str, str]:
    """The long-running processes, name to shell command."""
    found: dict[str, str] = dict(honcho.environ.parse_procfile(PROCFILE.read_text(encoding="utf-8")).processes)
    del found["release"]
    return found


def environment(url: str, **changes: str) -> dict[str, str]:
    """This process's environment for a child: our programs first on the path, and one database for all."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    port = str(settings.current().port)
    return {**os.environ, "PATH": path, "PORT": port, "PYTHONUNBUFFERED": "1", "DATABASE_URL": url, **changes}


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and Ctrl-C unwind the block, so that whatever it started is stopped.

    Ctrl-C too: a shell starts background jobs with SIGINT ignored, and Python then leaves it so.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
