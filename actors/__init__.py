"""The registry of actors: `dramatiq actors` imports this module and runs what it finds."""

import broker  # first, so that actors are declared on it and not on Dramatiq's default
import log
import settings
from actors import analytics, appointments, arrival, emails, messages, payments, reports
from db.database import connect

settings.current()  # what is wrong with them is said here, before a worker starts
log.quieten()  # the dramatiq command sets logging up itself

__all__ = ["analytics", "appointments", "arrival", "emails", "messages", "payments", "publish", "reports"]


def publish(url: str) -> None:
    """Tell SQL which actors this version has, so that `dramatiq.send` knows them and their routes."""
    conn = connect(url)
    try:
        with conn:
            broker.broker.publish_actors(conn, retire=True)
    finally:
        conn.close()
