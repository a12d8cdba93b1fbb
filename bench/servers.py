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

from bench.rabbitmq import Node, end_names
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
        [pid] = self.rabbitmq_nodes(["bench"])
        return pid

    def rabbitmq_nodes(self, names: list[str]) -> list[int]:
        """Start nodes of RabbitMQ, as a cluster where there are several; the process of each.

        Raises:
            Missing: as `start`.
        """
        _program("rabbitmq-server")
        home, names_port = self.folder / "rabbitmq", _free_port()
        home.mkdir()
        peers = names if len(names) > 1 else []
        nodes = [Node(name, home, _free_port(), _free_port(), names_port, peers) for name in names]
        self.stack.callback(end_names, names_port)
        self.environment["RABBITMQ_URL"] = ",".join(node.url for node in nodes)
        started = [self._begin(node.command, node.name, **node.environment) for node in nodes]
        for node, process in zip(nodes, started, strict=True):
            _wait_for(node.port, process, self.folder / node.name / "output")
        if peers:
            nodes[0].control("await_online_nodes", str(len(nodes)))
        return [process.pid for process in started]

    def _run(self, command: list[str], name: str, port: int, **environment: str) -> int:
        process = self._begin(command, name, **environment)
        _wait_for(port, process, self.folder / name / "output")
        return process.pid

    def _begin(self, command: list[str], name: str, **environment: str) -> subprocess.Popen[bytes]:
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
        return process


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
