"""An embedded PostgreSQL of one test's own, which the test may crash and restart."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import settings
from db import embedded


class OwnServer:
    """A running server; `url` is its database postgres."""

    def __init__(self, folder: Path, url: str, programs: Path) -> None:
        self.folder = folder
        self.url = url
        self.programs = programs

    def restart(self, how: str) -> None:
        """Stop and start it: `fast` ends every session in good order, `immediate` is a crash."""
        self._control("restart", "--mode", how, "--log", str(self.folder / "log"))

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stop it, and start it again after the block."""
        started = Path(self.folder, "postmaster.opts").read_text(encoding="utf-8")
        options = started[started.index('"') :]  # after the program, whose path may have spaces
        self._control("stop", "--mode", "fast")
        yield
        self._control("start", "--options", options.strip(), "--log", str(self.folder / "log"))

    def _control(self, *command: str) -> None:
        program = [str(self.programs / "pg_ctl"), "-D", str(self.folder), "--wait", "--silent"]
        owner = "pgserver" if os.geteuid() == 0 else None
        subprocess.run([*program, *command], check=True, cwd="/", user=owner)


@contextmanager
def running(version: int | None = None) -> Iterator[OwnServer]:
    """Run a server, 16 or 18, in a new folder under var/ until the block ends, then delete the folder."""
    library = embedded._library()
    folder = settings.ROOT / "var" / f"own-postgres-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    version = version or library.TARGET_POSTGRES_VERSION
    server = library.PostgresServer(embedded.plain(folder), cleanup_mode=None, postgres_version=version)
    try:
        server.start()
        yield OwnServer(folder, server.get_uri(), server.bin_path)
    finally:
        server.stop()
        shutil.rmtree(folder)
