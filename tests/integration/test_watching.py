"""`balansity status --watch` looks again and again, and ends when a person says so."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

import actors
import cli
import settings
from desk.watching import Watch
from tests.clinic import Clinic

SECONDS = 60  # that a process may take on a busy machine
SCHEDULER = "00000000-0000-0000-0000-000000000001"
COMMAND = [sys.executable, "-m", "cli", "status", "--watch"]


@pytest.fixture
def start(environment: pytest.MonkeyPatch) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command with its output in a pipe, and ends it after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=settings.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


def test_in_a_pipe_each_look_is_a_line_until_ctrl_c(
    clinic: Clinic, database: str, start: Callable[..., subprocess.Popen[str]]
) -> None:
    actors.publish(database)
    process = start()
    assert "waiting 0" in next_line(process)
    clinic.rows("SELECT dramatiq.send('generate_report', '{\"assessment_id\": \"x\"}')")
    line = next(line for line in iter(lambda: next_line(process), "") if "waiting 0" not in line)
    for words in ("Europe/Moscow", "waiting 1", "workers 0 of 0", "all providers there", "needs attention: no-worker"):
        assert words in line
    assert end(process) == (0, "")


def test_for_programs_each_look_is_a_line_of_json(clinic: Clinic, start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start("--json")
    for _ in range(2):
        assert json.loads(next_line(process)).keys() == {
            *("queues", "pgmq", "workers", "schedulers", "providers", "pauses", "findings"),
        }
    assert end(process) == (0, "")


def test_whoever_watches_sees_that_the_database_is_away(
    environment: pytest.MonkeyPatch, start: Callable[..., subprocess.Popen[str]]
) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    process = start()
    assert "Cannot reach PostgreSQL" in next_line(process)
    assert "Cannot reach PostgreSQL" in next_line(process)
    assert end(process)[0] == 0


def test_on_a_terminal_each_look_is_drawn_over_the_one_before_and_ctrl_c_gives_the_screen_back(
    clinic: Clinic,
) -> None:
    person, terminal = pty.openpty()
    process = subprocess.Popen(COMMAND, cwd=settings.ROOT, stdin=terminal, stdout=terminal, stderr=terminal)
    try:
        os.close(terminal)
        drawn = b""
        while drawn.count(b"Schedulers") < 2:
            drawn += os.read(person, 65536)
        process.send_signal(signal.SIGINT)
        while b"\x1b[?1049l" not in drawn:
            drawn += os.read(person, 65536)
        assert process.wait(timeout=SECONDS) == 0
        assert b"Traceback" not in drawn
    finally:
        process.kill()
        process.wait()
        os.close(person)


def test_a_process_lives_once_its_count_has_moved_and_is_dead_once_it_stood_still(clinic: Clinic) -> None:
    clinic.rows("INSERT INTO balansity.scheduler (id, host, pid, beats) VALUES (%s, 'h', 1, 1)", SCHEDULER)
    now = [100.0]
    watch = Watch(lambda: now[0])

    def lives() -> bool | None:
        [row] = watch.look().schedulers
        return bool(row["lives"]) if row["lives"] is not None else None

    assert lives() is None
    now[0] += 2
    clinic.rows("UPDATE balansity.scheduler SET beats = 2")
    assert lives() is True
    now[0] += 6
    assert lives() is True
    now[0] += 2
    assert lives() is False


def test_status_says_first_what_the_overview_says(clinic: Clinic, database: str) -> None:
    actors.publish(database)
    clinic.plan_up_to_now()
    clinic.rows("SELECT dramatiq.pause_queue('reports', NULL, 'vera', 'a test')")
    said = CliRunner().invoke(cli.main, ["status"]).output
    for words in (
        "✗ Needs attention: 2\n✗ No worker process lives: messages wait.\n→ Start the Procfile's worker",
        "! Queue reports is paused until it is resumed, by vera: a test",
        "Paused, times in Europe/Moscow",
    ):
        assert words in said
    told = json.loads(CliRunner().invoke(cli.main, ["status", "--json"]).output)
    assert [each["check"] for each in told["findings"]] == ["no-worker", "no-scheduler", "queue-paused"]
    assert [each["queue"] for each in told["pauses"]] == ["reports"]
