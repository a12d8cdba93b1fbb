"""Rest: which queues of this process sleep, so that whoever sends to them must ring."""

from db import queries
from db.connection import Connection

SHORTEST_SECONDS = 0.002  # before what could not be done, or seen, is tried again; then twice as long each time
LONGEST_SECONDS = 0.5


class Rest:
    """Holds the bells of sleeping queues on the connection that listens: senders ring where they find one held.

    A sender that tried it just before rings for nobody, and no look sees its message until it commits. So who falls
    asleep notes which transactions had begun by then, and looks once more when they have ended.
    """

    def __init__(self) -> None:
        self.asleep: dict[str, list[int]] = {}  # the bells that are held
        self.unseen: dict[str, int] = {}  # the last transaction that may send to a sleeping queue without ringing
        self.seconds = LONGEST_SECONDS  # until the next turn, at most

    def disconnected(self) -> list[str]:
        """Note that there is another connection from now on; returns the queues that slept."""
        slept = list(self.asleep)
        self.asleep, self.unseen = {}, {}
        return slept

    def turn(self, conn: Connection, idle: set[str]) -> set[str]:
        """Let the idle queues sleep and no others; returns those to look at once more."""
        self._wake_up(conn, self.asleep.keys() - idle)
        fallen = self._fall_asleep(conn, idle - self.asleep.keys())
        seen = {queue for queue, begun in self.unseen.items() if queries.broker.have_ended(conn, last_begun=begun)}
        for queue in seen:
            del self.unseen[queue]
        if fallen:
            self.seconds = SHORTEST_SECONDS
        elif self.unseen or idle - self.asleep.keys():
            self.seconds = min(2 * self.seconds, LONGEST_SECONDS)
        else:
            self.seconds = LONGEST_SECONDS
        return fallen | seen

    def _wake_up(self, conn: Connection, queues: set[str]) -> None:
        if queues:
            queries.broker.wake_up(conn, bells=[bell for queue in queues for bell in self.asleep.pop(queue)])
            for queue in queues:
                self.unseen.pop(queue, None)

    def _fall_asleep(self, conn: Connection, queues: set[str]) -> set[str]:
        if not queues:
            return set()
        fallen = {row.queue_name: row.bells for row in queries.broker.fall_asleep(conn, queues=sorted(queues))}
        self.asleep |= fallen
        self.unseen |= dict.fromkeys(fallen, queries.broker.last_begun(conn))
        return set(fallen)
