"""What a message costs: the processor's time of workers and of the server, what the server logs ahead, transactions."""

import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass

import psutil

PROCESSOR = 2  # a process's clock of its processor's time; see clock_getcpuclockid


@dataclass(frozen=True)
class Spent:
    """What was spent until a moment, at which so many messages had run."""

    messages: int
    worker_seconds: float
    server_seconds: float
    wal_bytes: int
    transactions: int


@dataclass(frozen=True)
class Cost:
    """What one message costs, on average."""

    worker_us: float
    server_us: float
    wal_bytes: float
    transactions: float  # that write

    @property
    def processor_us(self) -> float:
        return self.worker_us + self.server_us


def between(before: Spent, after: Spent) -> Cost | None:
    """What each message cost that ran between two moments."""
    messages, worker, server, wal, transactions = (
        late - early for early, late in zip(astuple(before), astuple(after), strict=True)
    )
    if not messages:
        return None
    return Cost(1e6 * worker / messages, 1e6 * server / messages, wal / messages, transactions / messages)


def processor_seconds(pids: Iterable[int]) -> float:
    """What these processes and all that they started have had of the processors, those that ended included."""
    return sum(_own_seconds(process) for pid in pids for process in _tree(pid))


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [*process.children(recursive=True), process]


def _own_seconds(process: psutil.Process) -> float:
    """Of a process, to the nanosecond, and of its children that ended, to the tick."""
    try:
        times = process.cpu_times()
        own = time.clock_gettime(~process.pid << 3 | PROCESSOR)
    except (psutil.NoSuchProcess, OSError):
        return 0.0  # ended just now: its parent has its time
    return float(own + times.children_user + times.children_system)
