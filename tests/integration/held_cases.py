"""What the tests of a held snapshot share: how many entries a session has read, however many of them are dead."""

from typing import Any

from db import queries
from db.connection import Connection
from tests.integration.line_cases import QUEUE, Hands

MANY = 6400  # messages: more than make a look dear
BATCH = 256
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


def exchange(hands: Hands, done: list[Any]) -> list[Any]:
    return list(
        queries.broker.exchange(
            hands.connection,
            worker=hands.worker,
            queue=QUEUE,
            done=[claim.message_id for claim in done],
            attempts=[claim.attempt for claim in done],
            limit=BATCH,
            pgmq_queue=None,
            actor=None,
            after=None,
        )
    )
