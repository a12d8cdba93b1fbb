"""Where servers of tests lay their data: in memory, where copying a database takes a fifth of the time, or on disk."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import settings
from db import embedded

MEMORY = Path("/dev/shm")
ENOUGH = 2**30  # bytes free; a whole run takes a third of it


def folder(name: str) -> Path:
    """The path of a folder for this checkout's tests, which may not exist yet."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH:
        return MEMORY / f"balansity-{settings.ROOT.stat().st_ino}" / name
    return settings.ROOT / "var" / name


@contextmanager
def new_folder(name: str) -> Iterator[Path]:
    """A folder of one test's own, on a path that a server's user may pass; it is removed after the block."""
    path = folder(f"{name}-{uuid.uuid4().hex[:8]}")
    embedded._make(path)
    try:
        yield path
    finally:
        shutil.rmtree(path)
