"""One turn: look, note what is wrong, and tell by each way what it has not told yet.

What was told is noted after it was told: whoever dies between the two lets the next one tell it once more.
"""

import json
from contextlib import suppress
from datetime import timedelta

import psycopg2

import settings
from alarms import ways, words
from checks import looks
from checks.finding import Finding
from db import queries
from db.connection import Connection
from errors import BalansityError
from gateways import hooks
from log import EventLogger, first_line

PAUSE = timedelta(seconds=50)  # from one turn's end to the next: a look a minute
LEASE = timedelta(minutes=5)  # longer than the slowest turn; whoever dies in one keeps others waiting for so long
SETTLED = timedelta(minutes=2)  # what stands for less is not told, nor is what is gone for less over
LEAST_PAUSE, MOST_PAUSE = timedelta(minutes=1), timedelta(hours=1)  # before a way that failed is tried again

# With one of these, others than we must notice that nobody is told any more.
SILENCING = {"no-worker", "no-scheduler", "migrations-missing", "database-read-only", "check-failed"}

events = EventLogger(__name__)


def take(conn: Connection) -> bool:
    """Take a turn, on a connection whose statements commit one by one; False where it is another's.

    Raises:
        psycopg2.Error: the database is away, or not as this version needs it.
    """
    if not queries.alarms.take_turn(conn, lease=LEASE):
        return False
    try:
        _take(conn)
    finally:
        with suppress(psycopg2.Error):  # whatever went wrong: the next one shall not wait for the lease to end
            queries.alarms.end_turn(conn, pause=PAUSE)
    return True


def _take(conn: Connection) -> None:
    calling = looks.calling(looks.quick(conn))
    _note(conn, calling)
    known = settings.current().alarm_ways
    for way in known:
        _tell(conn, way)
    queries.alarms.close(conn, ways=list(known))
    if settings.current().heartbeat_url and is_well(conn, calling):
        _beat()


def is_well(conn: Connection, calling: list[Finding]) -> bool:
    """Whether all is well enough that somebody would be told of anything else."""
    known = settings.current().alarm_ways
    is_mute = bool(known) and len(list(queries.alarms.failing_ways(conn, ways=list(known)))) == len(known)
    return not is_mute and SILENCING.isdisjoint(finding.check for finding in calling)


def _note(conn: Connection, calling: list[Finding]) -> None:
    queries.alarms.note(
        conn,
        checks=[finding.check for finding in calling],
        subjects=[finding.subject for finding in calling],
        sentences=[json.dumps(words.kept(finding)) for finding in calling],
        settled=SETTLED,
    )


def _tell(conn: Connection, way: str) -> None:
    """Tell by one way all that it has not told; one that fails is tried again later, and holds up no other."""
    alarms = list(queries.alarms.untold(conn, way=way))
    if not alarms:
        return
    over = [alarm.id for alarm in alarms if alarm.is_over]
    try:
        ways.tell(way, words.heading(is_wrong=len(over) < len(alarms)), words.lines(alarms))
    except BalansityError as error:
        queries.alarms.way_failed(conn, way=way, least=LEAST_PAUSE, most=MOST_PAUSE)
        events.warning("alarm_not_told", way=way, error=first_line(error))
        return
    queries.alarms.told(conn, way=way, ids=[alarm.id for alarm in alarms], over=over)
    queries.alarms.way_worked(conn, way=way)
    events.info("alarm_told", way=way, begun=len(alarms) - len(over), over=len(over))


def _beat() -> None:
    try:
        hooks.beat()
    except BalansityError as error:  # whoever awaits it notices that it did not come
        events.warning("heartbeat_not_sent", error=first_line(error))
