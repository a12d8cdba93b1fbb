"""Values that stand in no statement: the server's log and pg_stat_activity quote statements, with what is in them.

psycopg2 writes values into statements, so one that may be a person's goes ahead by COPY, whose data nobody logs, into
settings of the transaction's own; the statement names its place. In binary form, for errors quote lines of text.
JSON that the server would refuse is refused here, for it would quote that too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from typing import Any

import psycopg2
from aiosql.adapters.pyformat import PyFormatAdapter
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, ISQLQuote
from psycopg2.extensions import connection as Connection  # noqa: N812 - as in db.connection, of which this is no part
from psycopg2.extras import Json, NamedTupleCursor

from db import binary
from db.text import is_storable

COPY = "COPY dramatiq.hidden_value (place, value) FROM STDIN (FORMAT binary)"

ahead: ContextVar[list[str]] = ContextVar("ahead")  # of the statement that is being written


# Parameters of named queries that may hold an address, a name, a letter or an answer. A test knows all the others.
PERSONAL = {
    *("address", "dob", "email", "first_name", "last_name", "person", "phone", "to", "words", "filter"),
    *("content", "entry", "events", "filename", "messages", "result", "subject", "variables"),
    *("answer", "detail", "error", "options", "reason"),  # words of others', which may quote any of it
}


class Hidden:
    """A text on its way into a statement, there as an expression of this type."""

    def __init__(self, text: str, kind: str = "text") -> None:
        self.text = text
        self.kind = kind

    def __conform__(self, protocol: object) -> "Hidden | None":
        return self if protocol is ISQLQuote else None

    def getquoted(self) -> bytes:
        places = ahead.get()
        places.append(self.text)
        return f"dramatiq.hidden({len(places)})::{self.kind}".encode()


def hidden(value: Any) -> Any:
    """A value that must stand in no statement; of a tuple or a list, what is in it."""
    match value:
        case str():
            return Hidden(value)
        case bytes():
            return Hidden(rf"\x{value.hex()}", "bytea")
        case Json():
            if not is_storable(value.adapted):
                raise psycopg2.DataError("PostgreSQL cannot store this JSON: it has a NUL or half a character.")
            return Hidden(value.dumps(value.adapted), "jsonb")
        case tuple():
            return tuple(map(hidden, value))
        case list():
            return list(map(hidden, value))
        case _:
            return value


class DiscreetCursor(NamedTupleCursor):
    """Sends hidden values ahead of the statement that names them, in the same transaction."""

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 - psycopg2's name
        statement, values = self._written(query, vars)
        if not values:
            super().execute(statement)
            return
        with self._transaction() as begin:
            self.copy_expert(f"{begin}{COPY}", BytesIO(_binary(values)))
            super().execute(statement)

    def perform(self, query: str, parameters: Any) -> None:
        """Execute a statement whose rows nobody reads, in one message with what goes ahead of it."""
        statement, values = self._written(query, parameters)
        if values:
            self.copy_expert(f"{COPY}; ".encode() + statement, BytesIO(_binary(values)))
        else:
            super().execute(statement)

    def _written(self, query: Any, parameters: Any) -> tuple[bytes, list[str]]:
        """The statement, and what goes ahead of it."""
        values: list[str] = []
        before = ahead.set(values)
        try:
            told = {name: hidden(value) if name in PERSONAL else value for name, value in (parameters or {}).items()}
            return self.mogrify(query, told or None), values
        finally:
            ahead.reset(before)

    @contextmanager
    def _transaction(self) -> Iterator[str]:
        """What a statement must begin with to be in a transaction: in autocommit mode, one that ends with the block."""
        conn = self.connection
        if not conn.autocommit or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
            yield ""
            return
        with conn.cursor(cursor_factory=NamedTupleCursor) as cursor:
            try:
                yield "BEGIN; "
            except BaseException:
                if not conn.closed:
                    cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")


class DiscreetAdapter(PyFormatAdapter):
    """Runs named queries by discreet cursors, whatever connection they are given."""

    def _cursor(self, conn: Connection) -> DiscreetCursor:
        return conn.cursor(cursor_factory=DiscreetCursor)

    def insert_update_delete(self, conn: Connection, query_name: str, sql: str, parameters: Any) -> int:
        del query_name
        with self._cursor(conn) as cursor:
            cursor.perform(sql, parameters)
            return cursor.rowcount


def _binary(values: Sequence[str]) -> bytes:
    """Rows of a place, from 1, and a value, as COPY reads them."""
    return binary.rows((binary.integer(place), value.encode()) for place, value in enumerate(values, 1))
