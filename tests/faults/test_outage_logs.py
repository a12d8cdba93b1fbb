"""An outage is told once when it begins and once when it is over, by every process and in one format."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

import actors
import scheduler
import settings
from db.migrate import migrate
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer
from tests.waiting import until

OUTAGE_SECONDS = 20
PORT = "18476"
COMMANDS = {
    "worker": ["-m", "dramatiq", "actors", "--processes", "1", "--threads", "2"],
    "scheduler": ["-m", "scheduler"],
    "web": ["-m", "web.server"],
}
READY = {"worker": "worker_registered", "scheduler": "scheduler_started", "web": "web_started"}
QUEUES = 5  # of the worker: each has its own connection
MOST = {"worker": 2 * QUEUES + 2, "scheduler": 2, "web": 0}  # lines of an outage, however long it lasts
TROUBLE = re.compile(r"database_lost|database_regained|heartbeat_failed|_failed|ERROR|WARNING|Traceback")
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) \d+ [\w.]+(\([^)]*\))? \S")
PARENT = re.compile(r"\[.*\[dramatiq\.(MainProcess|WorkerProcess\(0\))\]")  # before a worker process reads our settings


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        migrate(server.url)
        actors.publish(server.url, scheduler.publish)
        yield server


def test_each_process_tells_an_outage_once_and_once_when_it_is_over(own_server: OwnServer, tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": own_server.url, "EMAIL_OUTBOX_DIR": str(tmp_path), "PORT": PORT}
    logs = {name: tmp_path / f"{name}.log" for name in COMMANDS}
    processes = [started(name, logs[name], environment) for name in COMMANDS]
    try:
        for name, word in READY.items():
            until(partial(has, logs[name], word), f"the {name} is ready")
        with own_server.away():
            over = time.monotonic() + OUTAGE_SECONDS
            until(lambda: asked() and time.monotonic() > over, "the outage has lasted", seconds=OUTAGE_SECONDS + 30)
        for name, count in {"worker": QUEUES, "scheduler": 1}.items():
            until(partial(has, logs[name], "database_regained", count), f"the {name} has its database again")
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for name, log in logs.items():
        lines = log.read_text(encoding="utf-8").splitlines()
        told = [line for line in lines if TROUBLE.search(line)]
        assert len(told) <= MOST[name], (name, told)
        assert [line for line in lines if not LINE.match(line) and not PARENT.match(line)] == [], name
    assert re.search(r"database_regained seconds=[1-9]\d", logs["scheduler"].read_text())


def started(name: str, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """One of the Procfile's processes, which logs there."""
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, *COMMANDS[name]],
            cwd=settings.ROOT,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def has(log: Path, word: str, times: int = 1) -> bool:
    return log.read_text(encoding="utf-8").count(word) >= times


def asked() -> bool:
    """Ask the web process what it cannot answer now."""
    with suppress(OSError), urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5):
        return False
    return True


def test_what_is_tried_again_on_purpose_is_no_error_with_a_traceback(own_server: OwnServer, tmp_path: Path) -> None:
    """Results that come later, as the site writes them; the report asks again."""
    environment = os.environ | {"DATABASE_URL": own_server.url, "EMAIL_OUTBOX_DIR": str(tmp_path)}
    [(user,)] = own_server.query("INSERT INTO public.users (email) VALUES ('anna@example.com') RETURNING id::text")
    [(profile,)] = own_server.query(
        "INSERT INTO public.profiles (user_id, type, first_name, last_name) "
        "VALUES (%s, 'child', 'М', 'Ё') RETURNING id::text",
        user,
    )
    own_server.query(
        "INSERT INTO public.assessments (profile_id, assessment_type, status, completed_at) "
        "VALUES (%s, 'checkup', 'completed', now())",
        profile,
    )
    own_server.query(
        "SELECT pgmq.send('report_generation_queue', jsonb_build_object('assessment_id', id, 'user_id', %s)) "
        "FROM public.assessments",
        user,
    )
    log = tmp_path / "log"
    worker = started("worker", log, environment)
    try:
        until(partial(has, log, "message_retried"), "the report is tried again")
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    text = log.read_text(encoding="utf-8")
    assert "ERROR" not in text
    assert "  File " not in text
    [line] = [line for line in text.splitlines() if "tried again" in line or "message_retried" in line][:1]
    assert re.search(
        r"message_retried queue=reports actor=generate_report message_id=\S+ error=\w+ delay_ms=\d+ trace=", line
    )
