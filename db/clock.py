"""The one clock: the database's, so that no machine's own decides anything; a test may set another in its place."""

from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 names in lower case

from db import queries

clock = queries.load("clock")


def now(conn: Connection) -> datetime:
    """When the transaction of `conn` began, or what `balansity.now` says instead."""
    moment: datetime = clock.now(conn)
    return moment.astimezone(UTC)
