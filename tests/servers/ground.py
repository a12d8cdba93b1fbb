"""Where servers of tests lay their data: in memory, where copying a database takes a fifth of the time, or on disk."""

import shutil
from pathlib import Path

import settings

MEMORY = Path("/dev/shm")
ENOUGH = 3 * 2**30  # bytes free; a whole run takes a third of it


def folder(name: str) -> Path:
    """The path of a folder for this checkout's tests, which may not exist yet."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ENOUGH:
        return MEMORY / f"balansity-{settings.ROOT.stat().st_ino}" / name
    return settings.ROOT / "var" / name
