"""A thread that looks every minute and tells: in the scheduler and in the web process, for either may be what is down.

Of all processes one has the turn. A database that is away keeps no turns: then each tells once, from memory.
"""

import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import psycopg2

import settings
from alarms import turn, ways, words
from checks.finding import Finding
from db import database
from db.trouble import passes
from errors import BalansityError, DatabaseError
from log import EventLogger, first_line
from translations import N_

LOOK_SECONDS = 20  # between attempts at a turn
AWAY = "database-away"
AWAY_SECONDS = 90  # that a database may be away untold
STOP_SECONDS = 5  # that a telling may take longer, at the end of a process

events = EventLogger(__name__)


class Lookout:
    """Looks and tells until it is stopped; does nothing where nobody is to be told."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.outage = Outage()
        self.thread = threading.Thread(target=self._run, name="lookout", daemon=True)

    def start(self) -> None:
        current = settings.current()
        if current.alarm_ways or current.heartbeat_url:
            self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self.stopping.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Take a turn, if it is ours; tell what keeps it from being taken."""
        try:
            with closing(database.connect()) as conn:
                conn.autocommit = True
                is_ours = turn.take(conn)
        except (DatabaseError, psycopg2.Error) as error:
            self.outage.goes_on(error)
        except Exception:  # noqa: BLE001 - the next look may succeed; a process that looks no more would seem well
            events.error("lookout_failed", with_traceback=True)
        else:
            if is_ours or self.outage.is_silence:  # another's turn tells that the database answers, and no more
                self.outage.ends()


class Outage:
    """What cannot be noted in the database, because it is the database."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        self.began = 0.0  # on the monotonic clock
        self.finding: Finding | None = None
        self.told: set[str] = set()  # ways
        self.retry: dict[str, tuple[float, float]] = {}  # of ways that failed: when again, and after what pause

    @property
    def is_silence(self) -> bool:
        """Whether the database did not answer; else it did, and what was asked is not there."""
        return self.finding is not None and self.finding.check == AWAY

    def goes_on(self, error: Exception) -> None:
        if self.since is None:
            self.since, self.began = datetime.now(UTC), time.monotonic()
        self.finding = _finding(error, self.since)
        if time.monotonic() - self.began >= AWAY_SECONDS:
            lines = f"✗ {self.finding.said(words.translate)}\n→ {self.finding.advised(words.translate)}"
            for way in set(settings.current().alarm_ways) - self.told:
                if self._tells(way, words.heading(is_wrong=True), lines):
                    self.told.add(way)

    def ends(self) -> None:
        """Tell whom it was told that it is over."""
        if self.finding:
            for way in list(self.told):
                if self._tells(way, words.heading(is_wrong=False), f"✓ {self.finding.said(words.translate)}"):
                    self.told.discard(way)
        if not self.told:
            self.since = self.finding = None
            self.retry.clear()

    def _tells(self, way: str, heading: str, lines: str) -> bool:
        """Whether it was told; a way that fails is left alone for a while, for longer each time."""
        again_at, pause = self.retry.get(way, (0.0, turn.LEAST_PAUSE.total_seconds()))
        if time.monotonic() < again_at:
            return False
        try:
            ways.tell(way, heading, lines)
        except BalansityError as error:
            self.retry[way] = time.monotonic() + pause, min(2 * pause, turn.MOST_PAUSE.total_seconds())
            events.warning("alarm_not_told", way=way, error=first_line(error))
            return False
        self.retry.pop(way, None)
        events.info("alarm_told", way=way, about="the database")
        return True


def _finding(error: Exception, since: datetime) -> Finding:
    facts = {"since": since, "why": type(error).__name__}
    if isinstance(error, DatabaseError) or (isinstance(error, psycopg2.Error) and passes(error)):
        what = N_("The database does not answer since %(since)s (%(why)s): everything waits.")
        remedy = N_("Start the server, or mend the way to it; all goes on by itself afterwards.")
        return Finding("bad", what, remedy, check=AWAY, since=since, facts=facts, calls=True)
    what = N_("Nothing can be checked since %(since)s (%(why)s).")
    remedy = N_("`balansity doctor` tells what is not as it should be; `balansity migrate` mends what it can.")
    return Finding("bad", what, remedy, check="checks-broken", since=since, facts=facts, calls=True)
