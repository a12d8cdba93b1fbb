"""Rest: which queues of this process sleep, so that whoever sends to them must ring."""

from db import queries
from db.connection import Connection
from messaging.doorbell import Doorbell

SHORTEST_SECONDS = 0.002  # before what could not be done, or seen, is tried again; then twice as long each time
LONGEST_SECONDS = 2.0


class Rest:
    """Holds the bells of sleeping queues on the connection that listens: senders ring where they find one held.

    One process holds a queue's bells, so that a message wakes one; others stand by until it passes them on, or ends.
    A sender that tried a bell just before rings for nobody, and no look sees its message until it commits. So who falls
    asleep notes which transactions had begun by then, and looks once more when they have ended.
    """

    def __init__(self, doorbell: Doorbell) -> None:
        self.doorbell = doorbell
        self.asleep: dict[str, list[int]] = {}  # the bells that are held
        self.standing_by: set[str] = set()  # another holds theirs
        self.queues: set[str] = set()  # those that sleep or stand by: one look is made for all of them
        self.unseen: dict[str, int] = {}  # the last transaction that may send to a sleeping queue without ringing
        self.seconds = LONGEST_SECONDS  # between the last turn and the next
        self.turn_at = 0.0  # when to see what another holds, or what was not to be seen

    def disconnected(self) -> set[str]:
        """Note that there is another connection from now on; returns the queues that rested."""
        rested, self.queues = self.queues, set()
        self.asleep, self.standing_by, self.unseen = {}, set(), {}
        return rested

    def turn(self, conn: Connection, idle: set[str], now: float) -> set[str]:
        """Let the idle queues rest and no others; returns those to look at once more."""
        self._wake_up(conn, self.asleep.keys() - idle)
        self.standing_by &= idle
        passed_on, self.doorbell.passed_on = self.doorbell.passed_on & self.standing_by, set()
        awake = idle - self.asleep.keys()
        begins, due = bool(passed_on or awake - self.standing_by), now >= self.turn_at
        fallen = self._fall_asleep(conn, awake) if awake and (begins or due) else set()
        self.queues = self.asleep.keys() | self.standing_by
        seen = self._seen(conn) if fallen or due else set()
        waits = bool(self.unseen or self.standing_by)
        if begins or fallen:
            self.seconds = SHORTEST_SECONDS
        elif due:
            self.seconds = min(2 * self.seconds, LONGEST_SECONDS) if waits else LONGEST_SECONDS
        if begins or fallen or due:
            self.turn_at = now + self.seconds
        return fallen | seen | passed_on

    def _wake_up(self, conn: Connection, queues: set[str]) -> None:
        if queues:
            queries.broker.wake_up(conn, bells=[bell for queue in queues for bell in self.asleep.pop(queue)])
            for queue in queues:
                self.unseen.pop(queue, None)

    def _fall_asleep(self, conn: Connection, queues: set[str]) -> set[str]:
        fallen = {row.queue_name: row.bells for row in queries.broker.fall_asleep(conn, queues=sorted(queues))}
        self.asleep |= fallen
        self.standing_by = queues - fallen.keys()
        self.doorbell.listen(conn, fallen)
        self.doorbell.ignore(conn, self.standing_by)
        if fallen:
            self.unseen |= dict.fromkeys(fallen, queries.broker.last_begun(conn))
        return set(fallen)

    def _seen(self, conn: Connection) -> set[str]:
        """The queues of which a look sees now what was sent while they fell asleep."""
        seen = {queue for queue, begun in self.unseen.items() if queries.broker.have_ended(conn, last_begun=begun)}
        for queue in seen:
            del self.unseen[queue]
        return seen
