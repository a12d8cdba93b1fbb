"""A run of a job whose worker is killed in the midst of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

import scheduler
import settings
from db.connection import Connection
from db.database import transaction
from tests.clinic import Clinic
from tests.faults.crew import IMPATIENCE, SILENCE_SECONDS
from tests.waiting import until

JOB = "update-appointment-statuses"
WORKER = ("-m", "dramatiq", IMPATIENCE, "actors", "--processes", "1", "--threads", "1", "--queues", "appointments")


@contextmanager
def working(database: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the jobs, killed with its children at the end."""
    process = subprocess.Popen(
        [sys.executable, *WORKER],
        cwd=settings.ROOT,
        env={**os.environ, "DATABASE_URL": database, "SILENCE_SECONDS": SILENCE_SECONDS},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_it_is_run_again_by_another_and_does_its_work_once(
    database: str, connect: Callable[[], Connection], environment: pytest.MonkeyPatch
) -> None:
    clinic, other = Clinic(connect()), Clinic(connect())
    clinic.book(clinic.add_user(), datetime.now(UTC) - timedelta(minutes=1))
    with transaction() as conn:
        scheduler.run_now(conn, JOB, datetime.now(UTC))

    other.rows("BEGIN; LOCK TABLE public.appointments IN ACCESS EXCLUSIVE MODE")
    with working(database):
        until(lambda: run(clinic) == ("started", 1, None), "the first worker is at it")
    other.rows("ROLLBACK")
    with working(database):
        until(lambda: run(clinic) == ("succeeded", 2, "1 started, 0 completed"), "the second worker has done it")


def run(clinic: Clinic) -> tuple[str, int, str | None]:
    [found] = clinic.rows("SELECT state, attempts, outcome FROM balansity.slot WHERE job = %s", JOB)
    return found[0], found[1], found[2]
