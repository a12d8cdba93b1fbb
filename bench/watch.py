"""Looks at workers while they run: what memory the largest holds, how many connections they have, what they spend."""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg2

from bench.cost import Spent, processor_seconds
from bench.course import Course

LOOK_SECONDS = 0.5
SQL = Path(__file__).parent / "sql"
CONNECTIONS = (SQL / "connections.sql").read_text()
WRITTEN = (SQL / "written.sql").read_text()


class Watch:
    """Watches worker processes and their children as long as the block; without a database there is less to see."""

    def __init__(self, workers: Sequence[subprocess.Popen[bytes]], course: Course) -> None:
        self.course = course
        self.workers = [worker.pid for worker in workers]
        self.servers = [course.server] if course.server else []
        self.conn = psycopg2.connect(course.database) if course.database else None
        if self.conn:
            self.conn.autocommit = True
        self.memory_mb = 0.0
        self.connections = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.ended.set()
        self.thread.join()
        if self.conn:
            self.conn.close()

    def spent(self) -> Spent:
        """What workers and server have spent by now."""
        messages = self.course.seen().messages
        wal_bytes, transactions = self._asked(WRITTEN) if self.conn else (0, 0)
        return Spent(
            messages, processor_seconds(self.workers), processor_seconds(self.servers), int(wal_bytes), transactions
        )

    def _run(self) -> None:
        while not self.ended.wait(LOOK_SECONDS):
            self.memory_mb = max(self.memory_mb, *(self._memory_mb(worker) for worker in self.workers))
            if self.conn:
                self.connections = max(self.connections, *self._asked(CONNECTIONS))

    def _memory_mb(self, pid: int) -> float:
        """Of the largest process of a tree; pages that it shares count in part."""
        try:
            process = psutil.Process(pid)
            tree = [process, *process.children(recursive=True)]
            return float(max(each.memory_full_info().pss for each in tree) / 2**20)
        except psutil.NoSuchProcess:
            return 0.0

    def _asked(self, statement: str) -> Any:
        assert self.conn
        with self.conn.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()
