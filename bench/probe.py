"""Counts what workers run, seen from outside: every thread has a slot of shared memory that only it writes."""

import mmap
import os
import threading
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

SLOTS = 64  # threads per process at most
FIELDS = 3  # messages run, when the first began, when the latest began (nanoseconds of the monotonic clock)
SIZE = SLOTS * FIELDS * 8

own = threading.local()
lock = threading.Lock()
memory: dict[int, tuple[memoryview, "count[int]"]] = {}  # by process id: workers fork


def touch() -> None:
    """Note that this thread runs a message now."""
    now = time.monotonic_ns()
    slot = getattr(own, "slot", None) or _new_slot()
    if not slot[0]:
        slot[1] = now
    slot[0] += 1
    slot[2] = now


def note(sent_at: int) -> None:
    """Note that this thread runs a message now that was sent at `sent_at`, and keep how long that took."""
    waited = time.monotonic_ns() - sent_at
    touch()
    with (_folder() / f"{os.getpid()}.waits").open("a") as file:
        file.write(f"{sent_at} {waited}\n")


class Seen(NamedTuple):
    """What all threads together ran."""

    messages: int
    began: int
    latest: int

    @property
    def seconds(self) -> float:
        return (self.latest - self.began) / 1e9


def seen(folder: Path) -> Seen:
    """What was run so far."""
    slots = [
        memoryview(file.read_bytes()).cast("Q")[at : at + FIELDS].tolist()
        for file in folder.glob("*.slots")
        for at in range(0, SLOTS * FIELDS, FIELDS)
    ]
    used = [slot for slot in slots if slot[0]]
    if not used:
        return Seen(0, 0, 0)
    return Seen(sum(slot[0] for slot in used), min(slot[1] for slot in used), max(slot[2] for slot in used))


def waits(folder: Path) -> list[float]:
    """How long each noted message waited, in milliseconds, in the order of sending."""
    lines = [line.split() for file in folder.glob("*.waits") for line in file.read_text().splitlines()]
    return [int(waited) / 1e6 for _, waited in sorted(lines, key=lambda line: int(line[0]))]


def _new_slot() -> memoryview:
    with lock:
        if os.getpid() not in memory:
            memory[os.getpid()] = _shared(_folder() / f"{os.getpid()}.slots"), count()
        slots, numbers = memory[os.getpid()]
        at = next(numbers) % SLOTS * FIELDS
        own.slot = slots[at : at + FIELDS]
        return own.slot  # type: ignore[no-any-return]


def _shared(path: Path) -> memoryview:
    """Zeroes that other processes can read at `path`, which is complete from the moment it exists."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(bytes(SIZE))
    draft.rename(path)
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), SIZE)).cast("Q")


def _folder() -> Path:
    return Path(os.environ["BENCH_PROBE"])
