"""One contestant on a fresh course: an empty server, its tables, then whatever is measured there."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

import settings
from bench import probe
from bench.contestants import Contestant
from bench.servers import Servers

PROCESSES = 2
THREADS = 8
LOOK_SECONDS = 0.02
START_SECONDS = 30  # until the first message must have run
STOP_SECONDS = 10


@dataclass
class Course:
    """Where one contestant runs once."""

    contestant: Contestant
    environment: dict[str, str]
    database: str
    server: int | None  # the server's first process
    folder: Path  # the probe's files and the workers' output

    def play(self, verb: str, *numbers: int) -> dict[str, float]:
        """Run one verb of the contestant's player; gives its seconds and rate."""
        command = self.contestant.command(verb, *numbers)
        with (self.folder / "player.log").open("ab") as log:
            done = subprocess.run(
                command, cwd=settings.ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=log, check=False
            )
        if done.returncode:
            output = (self.folder / "player.log").read_text()[-2000:]
            raise RuntimeError(f"{self.contestant.label}: {verb} failed:\n{output}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def settle(self) -> None:
        """Statistics are fresh and nothing waits to be flushed, for every contestant alike."""
        if self.database:
            self.execute("VACUUM ANALYZE")
            self.execute("CHECKPOINT")

    def execute(self, statement: str, **arguments: object) -> None:
        conn = psycopg2.connect(self.database)
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(statement, arguments)
        conn.close()

    @contextmanager
    def working(self, processes: int = PROCESSES, threads: int = THREADS) -> Iterator[list[subprocess.Popen[bytes]]]:
        """The contestant's workers, as long as the block."""
        with (self.folder / "workers.log").open("ab") as log:
            workers = [
                subprocess.Popen(
                    command,
                    cwd=settings.ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for command in self.contestant.workers(processes, threads)
            ]
        try:
            yield workers
        finally:
            _stop(workers)

    def seen(self) -> probe.Seen:
        return probe.seen(self.folder)

    def wait_until_ran(self, messages: int, most_seconds: float) -> probe.Seen:
        """Wait until that many messages ran, or `most_seconds` since the first one."""
        began = time.monotonic()
        while True:
            seen = self.seen()
            waited = (time.monotonic_ns() - seen.began) / 1e9
            if seen.messages and (seen.messages >= messages or waited >= most_seconds):
                return seen
            if not seen.messages and time.monotonic() - began > START_SECONDS:
                output = (self.folder / "workers.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.contestant.label}: no message ran in {START_SECONDS} s:\n{output}")
            time.sleep(LOOK_SECONDS)


def course(servers: Servers, contestant: Contestant, *, install: bool = True) -> Course:
    """An empty course, with the contestant's tables where there are any."""
    if contestant.server:
        servers.start(contestant.server)
    folder = servers.folder / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    database = servers.fresh_database() if contestant.server == "postgresql" else ""
    environment = {
        **os.environ,
        **servers.environment,
        "BENCH_PROBE": str(folder),
        "DATABASE_URL": database,
        "PYTHONPATH": str(settings.ROOT),
    }
    if not database:
        del environment["DATABASE_URL"]
    server = servers.started[contestant.server] if contestant.server else None
    made = Course(contestant, environment, database, server, folder)
    if install:
        made.play("install")
    return made


def _stop(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
