"""RabbitMQ from Debian's packages: one node, or a cluster of which a test may kill nodes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil

from bench import rabbitmq, servers
from tests.servers import ground

PROGRAM = rabbitmq.PROGRAMS / "rabbitmq-server"


class Cluster:
    """Running nodes; `url` is what BROKER_URL says of them."""

    def __init__(self, url: str, pids: Sequence[int]) -> None:
        self.url = url
        self.pids = pids

    def kill(self, place: int) -> None:
        """Kill a node, as a machine that loses its power."""
        script = psutil.Process(self.pids[place])
        for process in [*script.children(recursive=True), script]:
            if process.name() != "epmd":  # which tells the others each other's ports
                process.kill()


@contextmanager
def running(*names: str) -> Iterator[Cluster]:
    """Nodes of these names as long as the block."""
    with ground.new_folder("rabbitmq") as folder, servers.fresh(folder / "servers") as started:
        pids = started.rabbitmq_nodes(list(names))
        yield Cluster(started.environment["RABBITMQ_URL"], pids)
