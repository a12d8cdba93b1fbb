"""demo and up as their users run them: real processes, stopped with Ctrl-C at any moment, leaving nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import settings
from procfile import interruptible, processes, uninterrupted
from tests.servers import ground
from tests.waiting import until

PATIENCE = 120.0  # seconds


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's own user may enter, which pytest's are not."""
    with ground.new_folder("commands") as path:
        yield path


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


@pytest.mark.parametrize("runs", [1, pytest.param(2, marks=pytest.mark.heavy)])
def test_the_demonstration_sees_every_effect_once_and_again_on_the_same_folder(folder: Path, runs: int) -> None:
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-m", "cli", "demo", "--json", "--folder", folder],
            cwd=settings.ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["seconds"] <= 90
        assert len(told["emails"]) == len({mail["key"] for mail in told["emails"]}) == 7
        for kept in (*told["emails"], *told["reports"]):
            assert Path(kept["file"]).stat().st_size > 1000
        for what in ("emails", "reports", "appointments", "payments", "analytics"):
            assert all(row["id"] for row in told[what])
        assert [report["format"] for report in told["reports"]] == ["pdf"]
        assert {payment["status"] for payment in told["payments"]} == {"completed", "failed", "refunded", "cancelled"}
        assert {event["type"] for event in told["analytics"]} == {
            "assessment_completed",
            "payment_completed",
            "payment_failed",
        }
        assert processes_of(folder) == []


@pytest.mark.parametrize(
    "moment",
    [
        "the whole job, once",
        pytest.param("workers and scheduler run", marks=pytest.mark.heavy),
        pytest.param("An old check-up is given up", marks=pytest.mark.heavy),
    ],
)
def test_ctrl_c_leaves_no_process_behind(folder: Path, moment: str) -> None:
    process = start("demo", "--folder", str(folder))
    read_until(process, moment)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert processes_of(folder) == []


def test_ctrl_c_while_the_server_starts_leaves_none_running(folder: Path) -> None:
    process = start("demo", "--folder", str(folder))
    until((folder / "postgres.owner").exists, "it starts", PATIENCE)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert processes_of(folder) == []


class Up:
    """`balansity up` on the embedded server in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.port = str(free_port())
        self.settings = {
            "DATABASE_FOLDER": str(folder / "postgres"),
            "EMAIL_OUTBOX_DIR": str(folder),
            "PORT": self.port,
        }

    def start(self) -> subprocess.Popen[str]:
        return start("up", **self.settings)

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def test_up_runs_every_process_and_stops_them_all(folder: Path) -> None:
    up = Up(folder)
    process = up.start()
    try:
        until(up.healthy, "the web process answers", PATIENCE)
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    for name in ("worker", "reports", "scheduler", "web"):
        assert f"{name}." in said or f"{name} " in said
    assert process.returncode == 0
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


@pytest.mark.heavy
def test_a_closed_terminal_stops_the_demonstration(folder: Path) -> None:
    process = start("demo", "--folder", str(folder))
    read_until(process, "workers and scheduler run")
    assert process.stdout
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
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


@pytest.mark.heavy  # its sister is that of a killed up
def test_a_killed_demonstration_takes_its_processes_along_and_its_server_is_taken_over(folder: Path) -> None:
    first = start("demo", "--folder", str(folder))
    read_until(first, "workers and scheduler run")
    first.kill()
    first.communicate(timeout=PATIENCE)
    until(lambda: servers(processes_of(folder)), "only the server of its processes lives on", PATIENCE)
    second = start("demo", "--folder", str(folder))
    read_until(second, "workers and scheduler run")
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=PATIENCE)
    assert processes_of(folder) == []


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


def test_a_second_owner_is_told_who_the_first_is(folder: Path) -> None:
    first = start("demo", "--folder", str(folder))
    read_until(first, "the whole job, once")
    second = start("demo", "--json", "--folder", str(folder))
    said, _ = second.communicate(timeout=PATIENCE)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    [told] = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert f"Process {first.pid} already runs the embedded PostgreSQL" in told["problems"][0]


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
