"""A release process that is killed in the middle of `migrate`, again and again, beside a site at work."""

import os
import signal
import subprocess
import sys

import settings
from db import queries
from db.comparison import differences
from db.connection import Connection
from db.migrate import migrate
from tests.live.database import LiveDatabase
from tests.live.database import live_database as live_databases
from tests.live.shell import balansity, pointed_at

STEPS = (1, 2, 3, 5, 7, 11, 13)  # migrations that each process applies before it is killed
ROWS = ("public.payments", "public.appointments", "pgmq.q_email_queue")


def migrate_until(url: str, applied: int) -> bool:
    """Start a process that migrates, and kill it once it has applied so many; whether there was something to kill."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "migrate"],
        cwd=settings.ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    with process.stdout:
        for line in process.stdout:
            applied -= "migration_applied" in line
            if not applied:
                os.killpg(process.pid, signal.SIGKILL)
                break
    return process.wait() == -signal.SIGKILL


def parts(conn: Connection) -> set[tuple[str, str, str]]:
    """What is ours in a database."""
    found = queries.intended.present(conn, in_charge=False, handlers=[], queues=["email_queue"])
    return {(part.kind, part.name, part.definition) for part in found}


def test_a_migrate_that_is_killed_again_and_again_ends_as_one_that_was_not(
    live_database: LiveDatabase, server: str, worker_id: str
) -> None:
    with live_database.owner() as owner, live_databases(server, f"unharmed_{worker_id}") as unharmed:
        before = [owner.value(f"SELECT count(*) FROM {name}") for name in ROWS]
        assert [migrate_until(live_database.url, step) for step in STEPS] == [True] * len(STEPS)
        with pointed_at(live_database.url):
            assert "An old system is in charge" in balansity("migrate").output
            assert balansity("migrate").output.startswith("The database is up to date.")
        assert differences(owner.connection) == []
        assert [owner.value(f"SELECT count(*) FROM {name}") for name in ROWS] == before
        migrate(unharmed.url)
        with unharmed.owner() as other:
            assert parts(owner.connection) == parts(other.connection)
