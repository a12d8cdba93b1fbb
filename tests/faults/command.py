"""demo and up as their users run them: started as real processes, read while they run, looked for afterwards."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

import settings

PATIENCE = 120.0  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=settings.ROOT,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}:\n{said}")


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every living process that was started for this folder, the server's included."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        try:
            mentions = str(folder) in " ".join(process.info["cmdline"] or []) or str(folder) in str(process.environ())
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if mentions and process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def servers(processes: Iterable[psutil.Process]) -> bool:
    """Whether there are any, and all of them are PostgreSQL's."""
    names = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # one that has ended since it was found
            names.append(process.name())
    return bool(names) and all("postgres" in name for name in names)
