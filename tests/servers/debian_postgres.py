"""A PostgreSQL from Debian's packages, on a Unix socket in a folder of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import ground

EXTENSIONS = Path("/usr/share/postgresql")
PROGRAMS = Path("/usr/lib/postgresql")


def offers(version: int, extension: str) -> bool:
    """Whether that PostgreSQL is installed here with that extension."""
    control = EXTENSIONS / str(version) / "extension" / f"{extension}.control"
    return control.exists() and (PROGRAMS / str(version) / "bin" / "initdb").exists()


@contextmanager
def running(version: int, *options: str) -> Iterator[str]:
    """Run a server with `-c` options until the block ends; gives the address of its database postgres."""
    programs = PROGRAMS / str(version) / "bin"
    with ground.new_folder("debian-postgres") as home:
        as_owner = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(home, "postgres", "postgres")
            as_owner = ["runuser", "-u", "postgres", "--"]
        data = f"{home}/data"
        settings = " ".join(f"-c {option}" for option in (f"unix_socket_directories={home}", "listen_addresses=''"))
        settings += "".join(f" -c {option}" for option in options)
        control = [*as_owner, str(programs / "pg_ctl"), "--pgdata", data, "--wait", "--silent"]
        _call([*as_owner, str(programs / "initdb"), "--pgdata", data, "--auth=trust", "--username=postgres"])
        _call([*control, "--log", f"{home}/log", "--options", settings, "start"])
        try:
            yield f"postgresql://postgres@/postgres?host={home}"
        finally:
            _call([*control, "--mode", "immediate", "stop"])


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)
