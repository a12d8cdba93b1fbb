"""A person at a terminal: the command's input is one, so that it may ask."""

import os
import pty
import subprocess
import sys

import settings


def answered(answer: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What `balansity` says and does where a person types this."""
    person, terminal = pty.openpty()
    try:
        os.write(person, f"{answer}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=settings.ROOT,
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(person)
        os.close(terminal)
