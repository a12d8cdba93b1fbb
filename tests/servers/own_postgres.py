"""An embedded PostgreSQL of one test's own, which the test may crash and restart."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from db import embedded
from tests.servers import ground

OWNER = "pgserver" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root


class OwnServer:
    """A running server; `url` is its database postgres."""

    def __init__(self, folder: Path, url: str, programs: Path) -> None:
        self.folder = folder
        self.url = url
        self.programs = programs

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of one statement that commits by itself, on a connection of its own."""
        with closing(psycopg2.connect(self.url)) as conn, conn.cursor() as cursor:
            conn.autocommit = True
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def processes(self) -> list[int]:
        """The postmaster and, after it, its children."""
        postmaster = int(Path(self.folder, "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

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

    @contextmanager
    def standby(self) -> Iterator["OwnServer"]:
        """Run a second server that follows this one and takes no writes."""
        folder = self.folder.with_name(f"{self.folder.name}-standby")
        address = make_dsn(**parse_dsn(self.url))
        copy = [str(self.programs / "pg_basebackup"), "-d", address, "-D", str(folder), "-R", "--checkpoint=fast"]
        folder.mkdir(mode=0o700)
        if OWNER:
            shutil.chown(folder, OWNER)
        subprocess.run(copy, check=True, cwd="/", user=OWNER)
        Path(folder, ".s.PGSQL.5432.lock").unlink()  # of the first one's socket, which lies in its data
        standby = OwnServer(folder, f"postgresql://postgres@/postgres?host={folder}", self.programs)
        standby._control("start", "--options", f"-h '' -k '{folder}'", "--log", str(folder / "log"))
        try:
            yield standby
        finally:
            standby._control("stop", "--mode", "immediate")
            shutil.rmtree(folder)

    def promote(self) -> None:
        """Make a standby the primary."""
        self._control("promote")

    def _control(self, *command: str) -> None:
        program = [str(self.programs / "pg_ctl"), "-D", str(self.folder), "--wait", "--silent"]
        subprocess.run([*program, *command], check=True, cwd="/", user=OWNER)


@contextmanager
def running(version: int | None = None) -> Iterator[OwnServer]:
    """Run a server, 16 or 18, in a new folder until the block ends, then delete the folder."""
    library = embedded._library()
    version = version or library.TARGET_POSTGRES_VERSION
    with ground.new_folder("own-postgres") as folder:
        server = library.PostgresServer(embedded.plain(folder), cleanup_mode=None, postgres_version=version)
        try:
            server.start()
            yield OwnServer(folder, server.get_uri(), server.bin_path)
        finally:
            if Path(folder, "postmaster.pid").exists():  # the library stops none but the one that it started
                OwnServer(folder, "", server.bin_path)._control("stop", "--mode", "immediate")
