"""What actors of the fault tests did, as real worker processes note it."""

import os
import time
from pathlib import Path

EFFECTS = Path(os.environ["EFFECTS_FILE"])


def note(what: str) -> None:
    """Append one line, which no crash can tear and no lost database can undo."""
    line = f"{what} {os.getpid()} {time.monotonic()}\n".encode()
    file = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line)
    finally:
        os.close(file)
