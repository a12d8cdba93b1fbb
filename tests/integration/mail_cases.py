"""What mail tests look at: one row of the database."""

from typing import Any

from db.connection import Connection


def row(conn: Connection, query: str, *values: Any) -> dict[str, Any]:
    """The one row that `query` finds."""
    with conn.cursor() as cursor:
        cursor.execute(query, values)
        assert cursor.description
        (found,) = cursor.fetchall()
        return dict(zip((column.name for column in cursor.description), found, strict=True))
