"""The servers of a run: started on fresh folders and free ports, with their durability on, and stopped with it."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from db import embedded

START_SECONDS = 60


class Missing(Exception):  # noqa: N818 - the server's program is not on this machine
    """A server cannot be started."""


@dataclass
class Servers:
    """What runs, and where contestants find it."""

    folder: Path
    stack: ExitStack
    postgres_url: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    started: dict[str, int] = field(default_factory=dict)  # the first process of each

    def start(self, name: str) -> None:
        """Start a server unless it runs.

        Raises:
            Missing: its program is not installed, or it does not come up.
        """
        if name not in self.started:
            self.started[name] = getattr(self, f"_start_{name}")()

    def fresh_database(self) -> str:
        """The address of an empty database; the one before it is dropped."""
        conn = psycopg2.connect(self.postgres_url)
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
            cursor.execute("CREATE DATABASE bench")
            cursor.execute("CHECKPOINT")
        conn.close()
        return urlunsplit(urlsplit(self.postgres_url)._replace(path="/bench"))

    def _start_postgresql(self) -> int:
        folder = self.folder / "postgres"
        self.postgres_url = self.stack.enter_context(embedded.running(folder))
        return int((folder / "postmaster.pid").read_text().split()[0])

    def _start_redis(self) -> int:
        port = _free_port()
        command = [_program("redis-server"), "--port", str(port), "--appendonly", "yes", "--bind", "127.0.0.1"]
        self.environment["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        return self._run(command, "redis", port)

    def _start_rabbitmq(self) -> int:
        _program("rabbitmq-server")
        # The program behind Debian's wrapper, which insists on a user and folders of its own.
        script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        port, distribution, names = _free_port(), _free_port(), _free_port()
        folder = self.folder / "rabbitmq"
        self.stack.callback(subprocess.run, ["epmd", "-port", str(names), "-kill"], capture_output=True, check=False)
        self.environment["RABBITMQ_URL"] = f"amqp://guest:guest@127.0.0.1:{port}"
        return self._run(
            [script],
            "rabbitmq",
            port,
            HOME=str(folder),
            ERL_EPMD_PORT=str(names),
            RABBITMQ_NODENAME="bench@localhost",
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(port),
            RABBITMQ_DIST_PORT=str(distribution),
            RABBITMQ_MNESIA_BASE=str(folder / "mnesia"),
            RABBITMQ_LOG_BASE=str(folder / "log"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
            RABBITMQ_CONFIG_FILE=str(folder / "none"),
        )

    def _run(self, command: list[str], name: str, port: int, **environment: str) -> int:
        folder = self.folder / name
        folder.mkdir()
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.stack.callback(_stop, process)
        _wait_for(port, process, folder / "output")
        return process.pid


@contextmanager
def fresh(folder: Path) -> Iterator[Servers]:
    """Servers on a folder of their own, removed afterwards."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Servers(folder, stack)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        raise Missing(f"{name} is not installed (apt-get install {name})")
    return found


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise Missing(f"{process.args!r} did not come up: {output.read_text()[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
