"""Analytics events per second: a backlog in pgmq, drained by real worker processes on a PostgreSQL of its own.

python -m bench.analytics [--json]
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiosql
import psycopg2
from rich.console import Console
from rich.progress import Progress

import settings
from db import embedded
from db.connection import Connection
from db.migrate import migrate
from procfile import environment

EVENTS = 200_000
PROCESSES, THREADS = 2, 4
WORKER = ["dramatiq", "actors", "--processes", str(PROCESSES), "--threads", str(THREADS), "--queues", "analytics"]
POLL_SECONDS = 0.05
console = Console(stderr=True)
sql = aiosql.from_path(Path(__file__).with_suffix(".sql"), "psycopg2")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, embedded.running(Path(folder) / "postgres") as url:
        migrate(url)
        conn = psycopg2.connect(url)
        conn.autocommit = True
        sql.fill(conn, count=EVENTS)
        with workers(url):
            seconds = drained(conn)
        figures = {
            "events": EVENTS,
            "processes": PROCESSES,
            "threads": THREADS,
            "seconds": round(seconds, 2),
            "events_per_second": round(EVENTS / seconds),
            "events_per_transaction": round(EVENTS / sql.transactions(conn)),
            "kept": sql.kept(conn),
            "counted": sql.counted(conn),
        }
        conn.close()
    report(figures)


@contextmanager
def workers(url: str) -> Iterator[None]:
    with Path("/dev/null").open("wb") as nowhere:
        process = subprocess.Popen(
            [sys.executable, "-m", *WORKER], cwd=settings.ROOT, env=environment(url), stdout=nowhere, stderr=nowhere
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def drained(conn: Connection) -> float:
    """Seconds from the first kept event to the last."""
    started = None
    with Progress(console=console) as progress:
        task = progress.add_task("events", total=EVENTS)
        while (kept := sql.kept(conn)) < EVENTS:
            if kept and started is None:
                started = time.monotonic()
            progress.update(task, completed=kept)
            time.sleep(POLL_SECONDS)
    assert started is not None, "the first batch held every event: raise EVENTS"
    return time.monotonic() - started


def report(figures: dict[str, float]) -> None:
    if "--json" in sys.argv:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{value:>10,}  {name.replace('_', ' ')}")


if __name__ == "__main__":
    main()
