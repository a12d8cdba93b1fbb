"""The Procfile's processes, and what they need to run as children of one of our commands."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

import honcho.environ

import settings

PROCFILE = settings.ROOT / "Procfile"
SERVE = "Name it behind --queues of a worker's line."  # the remedy for a queue that is not served
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], Any]


def processes() -> dict[str, str]:
    """The long-running processes, name to shell command."""
    found: dict[str, str] = dict(honcho.environ.parse_procfile(PROCFILE.read_text(encoding="utf-8")).processes)
    del found["release"]
    return found


def unserved(queues: Iterable[str]) -> str:
    """Which queues no line of the Procfile serves, as a sentence; empty where each is served."""
    left = set(queues)
    for command in processes().values():
        words = shlex.split(command)
        if words[:1] == ["dramatiq"]:
            left = left - _served(words) if "--queues" in words else set()
    return f"No line of the Procfile serves {', '.join(sorted(left))}: what is sent there waits." if left else ""


def _served(words: list[str]) -> set[str]:
    return set(takewhile(lambda word: not word.startswith("-"), words[words.index("--queues") + 1 :]))


def environment(url: str, **changes: str) -> dict[str, str]:
    """This process's environment for a child: our programs first on the path, and one database for all."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    port = str(settings.current().port)
    return {**os.environ, "PATH": path, "PORT": port, "PYTHONUNBUFFERED": "1", "DATABASE_URL": url, **changes}


def tied(command: str) -> str:
    """`command` as a shell line whose process group is told to stop once this process is gone, even by SIGKILL."""
    return f"(while kill -0 {os.getpid()}; do sleep 1; done; kill 0) >/dev/null 2>&1 & exec {command}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal unwind the block, so that whatever it started is stopped.

    Ctrl-C too: a shell starts background jobs with SIGINT ignored, and Python then leaves it so. What nohup ignores
    stays ignored.
    """
    handlers: dict[int, Handler] = dict.fromkeys((signal.SIGINT, signal.SIGTERM), signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        handlers[signal.SIGHUP] = lambda *_: signal.raise_signal(signal.SIGTERM)
    with _handled(handlers):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let such signals wait until the block is done. They are not blocked: a child would inherit that."""
    waiting: list[int] = []
    with _handled(dict.fromkeys(STOPPING, lambda number, _: waiting.append(number))):
        yield
    if waiting:
        signal.raise_signal(waiting[0])


@contextmanager
def _handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
