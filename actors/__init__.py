"""The registry of actors: `dramatiq actors` imports this module and runs what it finds."""

from collections.abc import Callable, Sequence
from functools import partial

import broker  # first, so that actors are declared on it and not on Dramatiq's default
import log
from actors import analytics, appointments, arrival, emails, messages, payments, reports
from db import queries
from db.connection import Connection
from db.database import connect, start_options
from db.patience import LOCK_WAIT_MS, PATIENCE_SECONDS, Patience

log.quieten()  # the dramatiq command sets logging up itself

__all__ = ["analytics", "appointments", "arrival", "emails", "messages", "payments", "publish", "reports"]


def publish(url: str, *others: Callable[[Connection], object], patience_seconds: float = PATIENCE_SECONDS) -> list[str]:
    """Make this version's contract the one that counts: its actors, their routes, and what `others` publish with them.

    The roles of workers and the web get the rights to what is new: returns the statements that gave them.

    All in one transaction, which waits for locks as a migration does. Only a deploy or a rollback does so; a process
    that starts adds what is missing.

    Raises:
        DatabaseError: the locks that it needs were held all the time; says by whom.
    """
    patience = Patience(url, patience_seconds, start_options=start_options())
    return patience.run("the publication of actors and jobs", partial(_publish, url, others))


def _publish(
    url: str, others: Sequence[Callable[[Connection], object]], watch: Callable[[Connection], None]
) -> list[str]:
    conn = connect(url)
    try:
        with conn:
            queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
            watch(conn)
            broker.broker.publish_actors(conn, retire=True)
            for other in others:
                other(conn)
            return [each.statement for each in queries.roles.grant_rights(conn)]
    finally:
        conn.close()
