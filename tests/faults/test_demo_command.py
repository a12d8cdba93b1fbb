"""`balansity demo` as its users run it: real processes, stopped with Ctrl-C at any moment, leaving nothing behind."""

import json
import re
import signal
import subprocess
import sys
from base64 import b64encode
from http.client import HTTPConnection
from pathlib import Path

import pytest

import settings
from tests.faults.command import PATIENCE, free_port, processes_of, read_until, servers, start
from tests.waiting import until


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


def test_the_pages_of_the_demonstration_stay_up_and_its_login_opens_them(folder: Path) -> None:
    outward = {"EMAIL_PROVIDER": "smtp", "SMTP_HOST": "127.0.0.1", "HEARTBEAT_URL": "http://127.0.0.1:9"}
    second = {"EMAIL_FALLBACK_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "key"}  # needs a first that is not `file`
    process = start("demo", "--pages", "--folder", str(folder), PORT=str(port := free_port()), **outward, **second)
    said = read_until(process, "Ctrl-C ends")
    assert "was seen exactly once" in said
    [(address, name, password)] = re.findall(r"Pages: (\S+), user (\S+), password (\S+);", said)
    assert address == f"http://localhost:{port}"
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    login = b64encode(f"{name}:{password}".encode()).decode()
    connection.request("GET", "/deliveries", headers={"Authorization": f"Basic {login}"})
    answer = connection.getresponse()
    shown = set(re.findall(r'href="/deliveries/([0-9a-f-]{36})"', answer.read().decode()))
    assert (answer.status, len(shown)) == (200, 7)
    connection.close()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
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


@pytest.mark.heavy
def test_a_closed_terminal_stops_the_demonstration(folder: Path) -> None:
    process = start("demo", "--folder", str(folder))
    read_until(process, "workers and scheduler run")
    assert process.stdout
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    process.wait(timeout=PATIENCE)
    assert processes_of(folder) == []


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
