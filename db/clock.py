"""The one clock of what is due, late or over: the database's, whatever machines believe; a test may set another."""

from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from db import queries

clock = queries.load("clock")


def now(conn: Connection) -> datetime:
    """When the transaction of `conn` began, or what `balansity.now` says instead."""
    moment: datetime = clock.now(conn)
    return moment.astimezone(UTC)
