"""`balansity up` as its users run it: it says where all is, starts again what dies, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest

from procfile import interruptible, processes, uninterrupted
from tests.faults.command import PATIENCE, free_port, processes_of, read_until, servers, start
from tests.pages import USERS
from tests.waiting import until


class Up:
    """`balansity up` on the embedded server in a folder of the test's own."""

    def __init__(self, folder: Path, **changes: str) -> None:
        self.port = str(free_port())
        self.settings = {
            "DATABASE_FOLDER": str(folder / "postgres"),
            "EMAIL_OUTBOX_DIR": str(folder),
            "PORT": self.port,
            **changes,
        }

    def start(self) -> subprocess.Popen[str]:
        return start("up", **self.settings)

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def test_up_runs_every_process_says_where_all_is_and_stops_them_all(folder: Path) -> None:
    up = Up(folder, WEB_USERS=USERS)
    process = up.start()
    try:
        said = read_until(process, "Ctrl-C ends")
        assert up.healthy()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert f"Pages: http://localhost:{up.port}, log in as vera (operator) or pavel (reader)" in said
    assert f"Mails: files in {folder}" in said
    for name in ("worker", "reports", "scheduler", "web"):
        assert f"{name}." in said or f"{name} " in said
    assert process.returncode == 0
    assert processes_of(folder) == []


def test_a_port_that_is_taken_is_said_once_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process = Up(folder, PORT=port).start()
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith(f"Error: PORT: {port} is taken by another program: end that")
    assert said.count(port) == 1
    assert "started (pid=" not in said
    assert processes_of(folder) == []


def test_ctrl_c_while_up_starts_its_processes_stops_them_all(folder: Path) -> None:
    process = Up(folder).start()
    read_until(process, "started (pid=")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert processes_of(folder) == []


def test_a_closed_terminal_stops_up(folder: Path) -> None:
    up = Up(folder)
    process = up.start()
    until(up.healthy, "the web process answers", PATIENCE)
    assert process.stdout
    process.stdout.close()
    os.killpg(process.pid, signal.SIGHUP)
    process.wait(timeout=PATIENCE)
    assert processes_of(folder) == []


def test_an_interrupt_waits_until_a_process_that_starts_is_known() -> None:
    known = []

    def start_one() -> None:
        with interruptible(), uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            known.append("process")

    with pytest.raises(KeyboardInterrupt):
        start_one()
    assert known


def test_a_killed_up_takes_its_processes_along_and_the_next_takes_over(folder: Path) -> None:
    up = Up(folder)
    first = up.start()
    until(up.healthy, "the web process answers", PATIENCE)
    first.kill()
    first.wait(timeout=PATIENCE)
    second = up.start()
    descendants = psutil.Process(second.pid)

    def alone() -> bool:
        mine = {second.pid, *(child.pid for child in descendants.children(recursive=True))}
        return servers(process for process in processes_of(folder) if process.pid not in mine)

    until(alone, "only the server of the first lives on", PATIENCE)
    until(up.healthy, "the web process of the second answers", PATIENCE)
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=PATIENCE)
    first.communicate(timeout=PATIENCE)
    assert processes_of(folder) == []


def read_starts(process: subprocess.Popen[str], names: set[str]) -> dict[str, psutil.Process]:
    """What `up` starts for these lines of the Procfile, read from what it says until it has started them all."""
    started: dict[str, psutil.Process] = {}
    assert process.stdout
    while names - started.keys():
        if found := re.search(r"(\S+) started \(pid=(\d+)\)", process.stdout.readline()):
            started[found[1]] = psutil.Process(int(found[2]))
    return started


def test_a_process_that_is_killed_comes_back_and_the_others_live(folder: Path) -> None:
    up = Up(folder)
    process = up.start()
    try:
        first = read_starts(process, set(processes()))
        until(up.healthy, "the web process answers", PATIENCE)
        [*_, child] = [each for each in first["worker-2"].children() if each.name() != "sh"]
        for victim in (first["worker"], child, first["scheduler"], first["web"]):
            victim.kill()
        again = read_starts(process, {"worker", "worker-2", "scheduler", "web"})
        until(up.healthy, "the web process answers again", PATIENCE)
        assert first["reports"].is_running()
        assert all(each.is_running() for each in again.values())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert processes_of(folder) == []
