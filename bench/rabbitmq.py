"""RabbitMQ's nodes, of which several make a cluster: Debian's program, on folders and ports of their own."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path("/usr/lib/rabbitmq/bin")  # behind Debian's wrappers, which insist on a user and folders of their own


@dataclass(frozen=True)
class Node:
    """One node; those that know the same port for names, and have the same home, may find each other."""

    name: str  # before @localhost
    home: Path
    port: int
    distribution_port: int
    names_port: int
    peers: Sequence[str] = ()  # the names of a cluster's nodes, its own among them

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    @property
    def command(self) -> list[str]:
        return [str(PROGRAMS / "rabbitmq-server")]

    @property
    def environment(self) -> dict[str, str]:
        folder = self.home / self.name
        return {
            "HOME": str(self.home),
            "ERL_EPMD_PORT": str(self.names_port),
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._configured()),
        }

    def _configured(self) -> Path:
        """The path of its configuration, which only a cluster has."""
        path = self.home / f"{self.name}.conf"
        if self.peers:
            lines = ["cluster_formation.peer_discovery_backend = classic_config"]
            lines += [
                f"cluster_formation.classic_config.nodes.{number} = {peer}@localhost"
                for number, peer in enumerate(self.peers, 1)
            ]
            path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    def control(self, *words: str) -> None:
        """Run rabbitmqctl."""
        command = [str(PROGRAMS / "rabbitmqctl"), *words]
        subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, check=True)


def end_names(port: int) -> None:
    """Stop the daemon that tells nodes each other's ports; the first node has started it."""
    command = ["epmd", "-port", str(port), "-kill"]
    subprocess.run(
        command, env={**os.environ, "ERL_EPMD_RELAXED_COMMAND_CHECK": "true"}, capture_output=True, check=False
    )
