"""What the tests of a held snapshot share: how many entries a session has read, however many of them are dead."""

from db.connection import Connection

NEAR = 25  # entries that a call may read of the indexes of a table, besides those that it writes
FUTURE = "clock_timestamp() + interval '1 hour'"
READ = """
    SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int
    FROM (SELECT %(table)s::regclass::oid AS oid
          UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass) AS parts
"""


def entries_read(conn: Connection, table: str) -> int:
    """How many entries of a table's indexes, and rows of the table in its own order, this session has read."""
    with conn.cursor() as cursor:
        cursor.execute(READ, {"table": table})
        [(read,)] = cursor.fetchall()
    return int(read)
