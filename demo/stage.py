"""Where it plays: a server of its own, a fresh database, and the Procfile's worker and scheduler processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import actors
import scheduler
import settings
from db import embedded
from db.database import connect
from db.migrate import migrate
from errors import BalansityError
from gateways import private
from procfile import environment, processes, tied, uninterrupted

STOP_SECONDS = 10
PROCESSES = ("worker", "reports", "scheduler")
# Settings by which something would leave this machine.
OUTWARD = (
    *("EMAIL_FALLBACK_PROVIDER", "REPORT_STORAGE_URL", "YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY"),
    *("ALARM_WEBHOOK_URL", "ALARM_SMTP_URL", "ALARM_EMAIL_TO", "HEARTBEAT_URL"),
)


@dataclass
class Stage:
    """A running system under `folder`."""

    folder: Path
    url: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def start(self, *names: str, **changes: str) -> None:
        """Start these of the Procfile's processes, with these settings; each writes to its own log."""
        for name in names:
            with private.create(self.folder / "logs" / f"{name}.log") as log, uninterrupted():
                self.running[name] = subprocess.Popen(  # noqa: S602 - the Procfile's lines are shell commands
                    tied(processes()[name]),
                    shell=True,
                    cwd=settings.ROOT,
                    env=self._environment() | changes,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is ours to pass on
                )

    def check(self) -> None:
        """Raise where a process has died."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise BalansityError(f"The {name} process ended by itself: see {self.folder / 'logs' / name}.log")

    def command(self, *arguments: str) -> None:
        """Run a `balansity` command as an operator would."""
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "cli", *arguments],
            cwd=settings.ROOT,
            env=self._environment(),
            check=True,
            capture_output=True,
        )

    def stop(self) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        """Nothing of the demonstration leaves this machine, whatever the settings say."""
        return environment(
            self.url,
            **dict.fromkeys(OUTWARD, ""),
            EMAIL_PROVIDER="file",
            EMAIL_OUTBOX_DIR=str(self.outbox),
            BROKER_LISTEN="on",
        )


@contextmanager
def set_up(folder: Path) -> Iterator[Stage]:
    """A stage with a migrated, empty database; everything on it is stopped when the block ends."""
    with embedded.running(folder / "postgres") as server:
        for name in ("outbox", "reports", "logs"):
            shutil.rmtree(folder / name, ignore_errors=True)
            private.make_folder(folder / name)
        stage = Stage(folder, _fresh_database(server))
        migrate(stage.url)
        actors.publish(stage.url, scheduler.publish)
        try:
            yield stage
        finally:
            stage.stop()


def _fresh_database(server: str) -> str:
    """An empty database under a new name, so that no leftover of an earlier run reaches it; earlier ones go."""
    name = f"demo_{time.time_ns()}"
    conn = connect(server)
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(
                "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database "
                "WHERE starts_with(datname, 'demo_')"
            )
            for (drop,) in cursor.fetchall():
                cursor.execute(drop)
            cursor.execute(f"CREATE DATABASE {name}")
    finally:
        conn.close()
    return server.replace("/postgres?", f"/{name}?")
