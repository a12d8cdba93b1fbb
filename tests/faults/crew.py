"""Real worker processes for the fault tests: hired, killed, frozen, resumed and told to stop."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psycopg2
from dramatiq import Message

import settings
from db.connection import Pool
from db.database import start_options
from messaging.broker import PostgresBroker
from tests.waiting import until

IMPATIENCE = "tests.faults.impatience"  # a module for the dramatiq command, before those with actors
WORKLOAD = "tests.faults.workload"
SILENCE_SECONDS = "4"  # after which workers of the tests take each other for dead


class Office:
    """The database that workers share, and the file in which they note what they did."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.side_door = url  # where tests look, when what they look at stands in the way
        self.effects_file = folder / "effects"
        self.folder = folder
        self.gate_file = self.build_gate("gate")
        self.effects_file.touch()
        self.log = folder / "workers.log"
        self.broker = PostgresBroker(Pool(lambda: url, lambda: 2, start_options))

    def send(self, actor: str, *arguments: Any, queue: str = "quick", **options: Any) -> str:
        """Send one message to an actor of the workload; returns its id."""
        [message] = self.send_many(actor, [arguments], queue=queue, **options)
        return message.message_id

    def send_many(
        self, actor: str, calls: Iterable[tuple[Any, ...]], *, queue: str = "quick", **options: Any
    ) -> list[Message[Any]]:
        messages = [self.message(actor, *call, queue=queue, **options) for call in calls]
        self.broker.enqueue_many(messages)
        return messages

    def message(self, actor: str, *arguments: Any, queue: str = "quick", **options: Any) -> Message[Any]:
        return Message(queue_name=queue, actor_name=actor, args=arguments, kwargs={}, options=options)

    def query(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows of one statement, on a connection of its own: servers may restart between calls."""
        conn = psycopg2.connect(self.side_door)
        try:
            conn.autocommit = True
            with conn.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            conn.close()

    def states(self) -> dict[str, int]:
        return dict(self.query("SELECT state::text, count(*) FROM dramatiq.queue GROUP BY state"))

    def effects(self) -> list[tuple[str, int, float]]:
        """What workers did: the deed, the process, and the time on the monotonic clock."""
        whole, _, _ = self.effects_file.read_text(encoding="utf-8").rpartition("\n")  # a line may be in the writing
        return [(deed, int(pid), float(at)) for deed, pid, at in (line.split(" ") for line in whole.splitlines())]

    def deeds(self) -> Counter[str]:
        return Counter(deed for deed, _, _ in self.effects())

    def build_gate(self, name: str) -> Path:
        """A gate, closed, for a worker of its own (`GATE_FILE`)."""
        gate = self.folder / name
        os.mkfifo(gate)
        return gate

    def open_gate(self, gate: Path | None = None) -> int:
        """Let every actor pass that waits at the gate, now and later, until the descriptor is closed."""
        return os.open(gate or self.gate_file, os.O_RDWR)

    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8")


class ProcessGroup:
    """A Python program in a group of its own, with its children."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: IO[bytes] | None, root: Path = settings.ROOT
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], env=environment, cwd=root, stderr=log, start_new_session=True
        )

    def kill(self) -> None:
        self.tell(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Stop it where it stands: the signal takes a moment, in which one thread may run on, so that is waited for."""
        self.tell(signal.SIGSTOP)
        until(lambda: {*_thread_states(self.process.pid)} <= {"T", "Z"}, "every thread stands still")

    def resume(self) -> None:
        self.tell(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to stop, as a platform does: the parent is told and tells its child."""
        self.process.terminate()

    def tell(self, which: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, which)


class Worker(ProcessGroup):
    """One `dramatiq` command with one worker process."""

    def __init__(self, office: Office, *options: str, module: str = WORKLOAD, **environment: str) -> None:
        self.office = office
        command = ["-m", "dramatiq", IMPATIENCE, module, "--processes", "1", *options]
        paths = {
            "DATABASE_URL": office.url,
            "EFFECTS_FILE": str(office.effects_file),
            "GATE_FILE": str(office.gate_file),
            "SILENCE_SECONDS": SILENCE_SECONDS,
        }
        with office.log.open("ab") as log:
            super().__init__(command, os.environ | paths | environment, log)

    def rows(self) -> dict[int, int]:
        """Its row of dramatiq.worker, id to process, once it has registered."""
        rows = self.office.query("SELECT id, pid FROM dramatiq.worker")
        return {worker: pid for worker, pid in rows if _group(pid) == self.process.pid}

    def did(self) -> list[str]:
        """The deeds of this worker alone."""
        return [deed for deed, pid, _ in self.office.effects() if _group(pid) == self.process.pid]


def _thread_states(group: int) -> Iterator[str]:
    """What each thread of a process group does, by the letters of proc(5)."""
    for stat in Path("/proc").glob("[0-9]*/task/*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _parent, its_group, *_ = stat.read_text().rpartition(") ")[2].split()
            if int(its_group) == group:
                yield state


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


class Crew:
    """Hires workers and sees to it that none outlives its test."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.workers: list[Worker] = []

    def hire(self, *, threads: int = 8, verbose: bool = False, module: str = WORKLOAD, **environment: str) -> Worker:
        """Start a worker process and wait until it says that it lives."""
        worker = Worker(self.office, "--threads", str(threads), *["--verbose"] * verbose, module=module, **environment)
        self.workers.append(worker)
        until(worker.rows, "the worker registers")
        return worker

    def dismiss(self) -> None:
        for worker in self.workers:
            worker.kill()
