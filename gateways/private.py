"""Files that only this process's user may read, in folders that only that user may enter, whatever the umask."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def make_folder(folder: Path) -> None:
    """Make it, and what is missing above it; one that stands there keeps its rights, for others may share it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, content: bytes) -> None:
    """All or nothing: a reader never sees half a file, and none stays on a full disk.

    Under a name that nobody can guess until then: in a folder that others share, a link or a pipe may wait there.
    """
    descriptor, partial = tempfile.mkstemp(".partial", f"{path.stem}.", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except OSError:
        with suppress(OSError):
            Path(partial).unlink()
        raise


def create(path: Path) -> BinaryIO:
    """An empty file, open for writing."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, mode=0o600)
    os.fchmod(descriptor, 0o600)  # one that stood there has rights of its own
    return os.fdopen(descriptor, "wb")
