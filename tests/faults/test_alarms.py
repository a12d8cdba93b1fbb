"""Real processes that tell: whichever is killed, the other tells once, and nobody tells what was told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import actors
import scheduler
import settings
from tests.clinic import Clinic
from tests.faults.command import free_port
from tests.servers import hook as hooks
from tests.servers.hook import Hook
from tests.waiting import until

# A process whose minutes are parts of seconds.
HASTY = """
import sys
from datetime import timedelta
from alarms import lookout, turn
from checks import processes

lookout.LOOK_SECONDS, turn.PAUSE, turn.SETTLED = 0.2, timedelta(seconds=0.2), timedelta(seconds=2)
processes.SILENCE_SECONDS = 8
if sys.argv[1] == "scheduler":
    import scheduler
    scheduler.main()
else:
    from web import server
    server.main()
"""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hooks.running() as hook:
        yield hook


@contextmanager
def process(database: str, hook: Hook, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    own = {"DATABASE_URL": database, "ALARM_WEBHOOK_URL": hook.url, "ALARM_LANGUAGE": "en", "PORT": str(free_port())}
    started = subprocess.Popen(
        [sys.executable, "-c", HASTY, kind], cwd=settings.ROOT, env=os.environ | own, start_new_session=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def test_the_web_process_tells_of_a_scheduler_that_was_killed_and_of_its_return(
    database: str, clinic: Clinic, hook: Hook
) -> None:
    actors.publish(database, scheduler.publish)
    clinic.rows("INSERT INTO dramatiq.worker (host, pid, started_at) VALUES ('a', 1, now() + interval '1 hour')")
    with process(database, hook, "web"):
        with process(database, hook, "scheduler") as killed:
            until(lambda: clinic.value("SELECT count(*) FROM balansity.scheduler") == 1, "the scheduler lives", 60)
            told_before = len(hook.texts)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        until(lambda: len(hook.texts) > told_before, "the web process tells", 60)
        assert "1 worker processes live, and no scheduler: no job is planned." in hook.texts[-1]
        with process(database, hook, "scheduler") as ended:
            until(lambda: "It is over since" in hook.texts[-1], "that it is back is told", 60)
            ended.send_signal(signal.SIGTERM)
            assert ended.wait(30) == 0
    of_it = [text for text in hook.texts[told_before:] if "no scheduler" in text]
    assert len(of_it) == 2, hook.texts
