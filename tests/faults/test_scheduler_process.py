"""Real scheduler processes: stopped, frozen, cut off and outnumbered, they leave no slot out and run none twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

import scheduler
import settings
from db.migrate import migrate
from tests.clinic import Clinic
from tests.servers import own_postgres
from tests.waiting import WAITS_HERE, until

PATIENCE_SECONDS = 30
REMINDERS = "send-appointment-reminders"

# A scheduler on a machine whose clock is ahead, and whose safety net is as wide as wanted; both in seconds.
ON_ANOTHER_MACHINE = """
import datetime, sys

class Ahead(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=float(sys.argv[1]))

datetime.datetime = Ahead
import scheduler

scheduler.SAFETY_NET_SECONDS = float(sys.argv[2])
scheduler.SILENCE_SECONDS = 3 * scheduler.SAFETY_NET_SECONDS
scheduler.main()
"""


@contextmanager
def running(database: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *(command or ("-m", "scheduler"))],
        cwd=settings.ROOT,
        env={**os.environ, "DATABASE_URL": database},
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def set_back(clinic: Clinic, minutes: int, now: datetime | None = None) -> datetime:
    """Let the schedule owe its slots since so many minutes ago."""
    since = (now or datetime.now(UTC)).replace(second=0, microsecond=0) - timedelta(minutes=minutes)
    clinic.rows("UPDATE balansity.job SET planned_until = %s", since)
    return since


def slots(clinic: Clinic, since: datetime) -> list[datetime]:
    found = clinic.rows("SELECT slot FROM balansity.slot WHERE job = %s AND slot > %s ORDER BY 1", REMINDERS, since)
    return [slot for (slot,) in found]


def assert_exact(clinic: Clinic, since: datetime) -> None:
    """Every minute since has its one slot, and every slot that runs its one message."""
    found = slots(clinic, since)
    assert found == [since + timedelta(minutes=n) for n in range(1, len(found) + 1)]
    [(messages, different, planned)] = clinic.rows(
        "SELECT count(*), count(DISTINCT message -> 'kwargs' ->> 'slot'), "
        "(SELECT count(*) FROM balansity.slot WHERE job = %s AND state = 'planned') "
        "FROM dramatiq.queue WHERE message ->> 'actor_name' = 'send_appointment_reminders'",
        REMINDERS,
    )
    assert messages == different == planned


def test_sigterm_ends_it_cleanly(database: str, clinic: Clinic) -> None:
    since = set_back(clinic, 3)
    with running(database) as process:
        until(lambda: len(slots(clinic, since)) >= 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert_exact(clinic, since)


def test_a_frozen_one_is_stood_in_for_and_changes_nothing_when_it_wakes(database: str, clinic: Clinic) -> None:
    with running(database) as frozen:
        until(lambda: _connected(clinic) >= 1)
        frozen.send_signal(signal.SIGSTOP)
        with running(database):
            since = set_back(clinic, 60)
            until(lambda: len(slots(clinic, since)) >= 60)
        again = set_back(
            clinic, 5, since
        )  # now it alone finds an hour of slots that exist already, and five that do not
        frozen.send_signal(signal.SIGCONT)
        until(lambda: len(slots(clinic, again)) >= 65)
    assert_exact(clinic, again)
    assert clinic.value("SELECT count(*) FROM balansity.slot WHERE job = %s AND slot <= %s", REMINDERS, since) == 5


def test_a_machine_whose_clock_is_ahead_plans_nothing_ahead(database: str, clinic: Clinic) -> None:
    since = set_back(clinic, 5)
    with running(database, "-c", ON_ANOTHER_MACHINE, "21600", "0.5"):
        until(lambda: len(slots(clinic, since)) >= 5)
        again = set_back(clinic, 10)
        until(lambda: len(slots(clinic, again)) >= 10)
    assert_exact(clinic, again)
    assert clinic.value("SELECT max(slot) <= now() FROM balansity.slot")
    assert clinic.value("SELECT max(planned_until) <= now() FROM balansity.job")


def test_the_clock_ticks_without_the_safety_net(database: str, clinic: Clinic) -> None:
    since = set_back(clinic, 5)
    ahead = (50 - datetime.now(UTC).second) % 60  # a tick will come soon
    with running(database, "-c", ON_ANOTHER_MACHINE, str(ahead), "86400"):
        until(lambda: len(slots(clinic, since)) >= 5)  # the one look at the beginning
        again = set_back(clinic, 10)
        until(lambda: len(slots(clinic, again)) >= 10, seconds=60 + PATIENCE_SECONDS)
    assert_exact(clinic, again)


def test_a_cut_connection_costs_no_slot(database: str, clinic: Clinic) -> None:
    with running(database):
        until(lambda: _connected(clinic) >= 1)
        clinic.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        since = set_back(clinic, 5)
        until(lambda: len(slots(clinic, since)) >= 5)
    assert_exact(clinic, since)


def test_a_server_that_restarts_while_slots_are_enqueued_costs_none() -> None:
    with own_postgres.running() as server, ExitStack() as stack:
        with connected(server.url) as clinic:
            migrate(server.url)
            since = set_back(clinic, 5)
            clinic.rows("BEGIN; LOCK TABLE dramatiq.queue IN EXCLUSIVE MODE")
            stack.enter_context(running(server.url))
            until(lambda: _waiting_to_enqueue(clinic))
        server.restart("immediate")
        with connected(server.url) as clinic:
            until(lambda: len(slots(clinic, since)) >= 5)
            assert_exact(clinic, since)


@contextmanager
def connected(url: str) -> Iterator[Clinic]:
    with closing(psycopg2.connect(url)) as conn:
        conn.autocommit = True
        yield Clinic(conn)


def test_many_processes_share_the_schedule(database: str, clinic: Clinic) -> None:
    since = set_back(clinic, 120)
    with running(database), running(database), running(database):
        until(lambda: len(slots(clinic, since)) >= 120)
    assert_exact(clinic, since)


def test_one_frozen_with_a_job_in_its_hands_loses_it(clinic: Clinic, environment: pytest.MonkeyPatch) -> None:
    since = set_back(clinic, 5)
    with pytest.raises(psycopg2.Error, match=r"closed|terminated"):
        freeze_holding_a_job(clinic, since)
    assert_exact(clinic, since)


def freeze_holding_a_job(clinic: Clinic, since: datetime) -> None:
    with scheduler._held(REMINDERS) as (conn, _), conn.cursor() as cursor:
        assert scheduler.enqueue_due(datetime.now(UTC)) > 0  # the other jobs
        assert slots(clinic, since) == []
        until(lambda: scheduler.enqueue_due(datetime.now(UTC)) > 0 and slots(clinic, since))
        cursor.execute("SELECT 1")


def _waiting_to_enqueue(clinic: Clinic) -> bool:
    """Whether a scheduler has given a slot its row and stands before the locked queue."""
    waiting = f"SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'dramatiq.live'::regclass AND {WAITS_HERE})"
    return bool(clinic.value(waiting))


def _connected(clinic: Clinic) -> int:
    return int(
        clinic.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )


def test_a_scheduler_says_that_it_lives_and_the_row_of_a_dead_one_is_removed(clinic: Clinic, database: str) -> None:
    pids = "SELECT pid FROM balansity.scheduler ORDER BY beats"
    often = ("-c", ON_ANOTHER_MACHINE, "0", "1")
    with running(database, *often) as first, running(database, *often) as second:
        until(lambda: len(clinic.rows(pids)) == 2, seconds=PATIENCE_SECONDS)
        first.kill()
        until(lambda: clinic.rows(pids) == [(second.pid,)], "the other removes its row", 2 * PATIENCE_SECONDS)
        second.terminate()
        assert second.wait(timeout=PATIENCE_SECONDS) == 0
    assert clinic.rows(pids) == []
