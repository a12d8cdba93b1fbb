"""Who takes part, and how each one is played."""

from dataclasses import dataclass
from pathlib import Path

from bench import environments

NODE_MAIN = str(Path(__file__).parent / "players" / "node" / "main.js")


@dataclass(frozen=True)
class Contestant:
    """One contestant: its player (a module of bench.players, or of its folder node), and what it needs."""

    name: str
    label: str
    player: str
    server: str | None = "postgresql"
    requirements: str | None = None  # None: it runs in this project's own environment
    dramatiq: bool = True  # its workers are the `dramatiq` command's; else its player's work()
    bulk: bool = False  # it can enqueue many at once

    def command(self, verb: str, *numbers: int) -> list[str]:
        """What runs a verb of its player."""
        node = self.requirements == environments.NODE
        program = [environments.node(), NODE_MAIN] if node else [self._python, "-m", "bench.players"]
        return [*program, self.player, verb, *map(str, numbers)]

    def workers(self, processes: int, threads: int) -> list[list[str]]:
        """The commands that run that many worker processes."""
        if self.dramatiq:
            options = ["--processes", str(processes), "--threads", str(threads)]
            return [[self._python, "-m", "dramatiq", f"bench.players.{self.player}", *options]]
        return [self.command("work")] * processes

    @property
    def _python(self) -> str:
        return environments.python(self.requirements)


OURS = Contestant("ours", "Balansity", "ours", bulk=True)
BRIDGED = Contestant("ours-pgmq", "Balansity, through pgmq", "ours_bridged")
PEERS = [
    Contestant("dramatiq-pg", "dramatiq-pg 0.12", "dramatiq_pg", requirements="dramatiq-pg"),
    Contestant("dramatiq-postgres", "dramatiq-postgres 1.4", "dramatiq_postgres", requirements="dramatiq-postgres"),
    Contestant("rabbitmq", "Dramatiq over RabbitMQ", "rabbitmq", "rabbitmq", "dramatiq"),
    Contestant("redis", "Dramatiq over Redis", "redis", "redis", "dramatiq"),
    Contestant("procrastinate", "Procrastinate 3.10", "procrastinate", "postgresql", "procrastinate", False, True),
    Contestant("pgqueuer", "PgQueuer 1.6, in threads", "pgqueuer", "postgresql", "pgqueuer", False, True),
    Contestant("pgqueuer-async", "PgQueuer 1.6, async no-op", "pgqueuer_async", "postgresql", "pgqueuer", False, True),
    Contestant("pg-boss", "pg-boss 12.38", "pg_boss", "postgresql", "node", False, True),
    Contestant("graphile-worker", "graphile-worker 0.18", "graphile_worker", "postgresql", "node", False, True),
]
BARE_SQL = Contestant("bare-sql", "limit: bare SQL", "bare_sql", dramatiq=False, bulk=True)
IN_MEMORY = Contestant("in-memory", "limit: Dramatiq in memory", "in_memory", None, dramatiq=False)
EVERYONE = [OURS, BRIDGED, *PEERS, BARE_SQL, IN_MEMORY]
