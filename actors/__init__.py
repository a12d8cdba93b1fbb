"""The registry of actors: `dramatiq actors` imports this module and runs what it finds."""

from collections.abc import Callable

import broker  # first, so that actors are declared on it and not on Dramatiq's default
import log
from actors import analytics, appointments, arrival, emails, messages, payments, reports
from db import queries
from db.connection import Connection
from db.database import connect

log.quieten()  # the dramatiq command sets logging up itself

__all__ = ["analytics", "appointments", "arrival", "emails", "messages", "payments", "publish", "reports"]


def publish(url: str, *others: Callable[[Connection], object]) -> None:
    """Make this version's contract the one that counts: its actors, their routes, and what `others` publish with them.

    The roles of workers and the web get the rights to what is new.

    All in one transaction. Only a deploy or a rollback does so; a process that starts adds what is missing.
    """
    conn = connect(url)
    try:
        with conn:
            broker.broker.publish_actors(conn, retire=True)
            for other in others:
                other(conn)
            queries.roles.grant_rights(conn)
    finally:
        conn.close()
