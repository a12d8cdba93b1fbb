"""demo and up as their users run them: real processes, stopped with Ctrl-C at any moment, leaving nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import settings

PATIENCE = 60.0  # seconds


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's own user may enter, which pytest's are not."""
    path = settings.ROOT / "var" / f"test-commands-{os.getpid()}"
    path.mkdir(parents=True)
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


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


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_the_demonstration_sees_every_effect_once_and_again_on_the_same_folder(folder: Path) -> None:
    for _ in range(2):
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
        assert {event["type"] for event in told["analytics"]} == {
            "assessment_completed",
            "payment_completed",
            "payment_failed",
        }
        assert processes_of(folder) == []


@pytest.mark.parametrize("moment", ["the whole job, once", "workers and scheduler run", "An old check-up is given up"])
def test_ctrl_c_leaves_no_process_behind(folder: Path, moment: str) -> None:
    process = start("demo", "--folder", str(folder))
    read_until(process, moment)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert processes_of(folder) == []


def test_ctrl_c_while_the_server_starts_leaves_none_running(folder: Path) -> None:
    process = start("demo", "--folder", str(folder))
    wait_until((folder / "postgres.owner").exists, "it did not start")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert processes_of(folder) == []


def test_up_runs_every_process_and_stops_them_all(folder: Path) -> None:
    port = str(free_port())
    process = start("up", DATABASE_FOLDER=str(folder / "postgres"), EMAIL_OUTBOX_DIR=str(folder), PORT=port)

    def healthy() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        wait_until(healthy, "the web process did not answer")
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    for name in ("worker", "reports", "scheduler", "web"):
        assert f"{name}." in said or f"{name} " in said
    assert processes_of(folder) == []


def test_what_a_killed_owner_left_running_is_taken_over(folder: Path) -> None:
    first = start("demo", "--folder", str(folder))
    read_until(first, "workers and scheduler run")
    first.kill()
    wait_until(lambda: first.poll() is not None, "it was not killed")
    leftovers = processes_of(folder)
    assert any("postgres" in leftover.name() for leftover in leftovers)
    for leftover in leftovers:
        if "postgres" not in leftover.name():
            leftover.kill()
    first.communicate()
    second = start("demo", "--folder", str(folder))
    read_until(second, "workers and scheduler run")
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=PATIENCE)
    assert processes_of(folder) == []


def test_a_second_owner_is_told_who_the_first_is(folder: Path) -> None:
    first = start("demo", "--folder", str(folder))
    read_until(first, "the whole job, once")
    second = start("demo", "--folder", str(folder))
    said, _ = second.communicate(timeout=PATIENCE)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    assert f"Process {first.pid} already runs the embedded PostgreSQL" in said
