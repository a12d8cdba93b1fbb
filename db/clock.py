"""The one clock of what is due, late or over: the database's, whatever machines believe; a test may set another."""

from datetime import UTC, datetime

from db import queries
from db.connection import Connection


def now(conn: Connection) -> datetime:
    """When the transaction of `conn` began, or what `balansity.now` says instead."""
    moment: datetime = queries.clock.now(conn)
    return moment.astimezone(UTC)
