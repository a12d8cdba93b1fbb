"""Looks at workers while they run: how much memory the largest holds, and how many connections they have open."""

import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg2

LOOK_SECONDS = 0.5
CONNECTIONS = Path(__file__).parent / "sql" / "connections.sql"


class Watch:
    """Watches worker processes and their children as long as the block; no database: memory only."""

    def __init__(self, workers: list[subprocess.Popen[bytes]], database: str) -> None:
        self.workers = workers
        self.database = database
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

    def _run(self) -> None:
        while not self.ended.wait(LOOK_SECONDS):
            self.memory_mb = max(self.memory_mb, *(self._memory_mb(worker.pid) for worker in self.workers))
            if self.database:
                self.connections = max(self.connections, self._connections())

    def _memory_mb(self, pid: int) -> float:
        """Of the largest process of a tree; pages that it shares count in part."""
        try:
            process = psutil.Process(pid)
            tree = [process, *process.children(recursive=True)]
            return float(max(each.memory_full_info().pss for each in tree) / 2**20)
        except psutil.NoSuchProcess:
            return 0.0

    def _connections(self) -> int:
        conn = psycopg2.connect(self.database)
        try:
            with conn.cursor() as cursor:
                cursor.execute(CONNECTIONS.read_text())
                [(connections,)] = cursor.fetchall()
                return int(connections)
        finally:
            conn.close()
