"""What is applied of the migrations, as yoyo lists it, and with which content."""

import platform
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class that psycopg2 names in lower case
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.connections import DatabaseURI

from db import queries, releases
from db.connection import Connection, connect
from db.patience import LOCK_WAIT_MS

DIGEST = ["migration_id", "digest"]  # the columns of migration_digest
LONGEST_WAIT_SECONDS = 10  # of CREATE INDEX CONCURRENTLY, before it says whom it waits for


def applied_digests(cursor: Cursor, schema: str) -> list[tuple[str, str | None]]:
    """Each applied migration with its digest; None where it was applied before there were digests."""
    conn: Connection = cursor.connection
    if not queries.intended.is_whole(conn, table=f"{schema}.migration", columns=["migration_id"]):
        return []
    look_in(cursor, schema)
    if queries.intended.is_whole(conn, table=f"{schema}.migration_digest", columns=DIGEST):
        cursor.execute(
            "SELECT migration_id, digest FROM migration LEFT JOIN migration_digest USING (migration_id) ORDER BY 1"
        )
    else:
        cursor.execute("SELECT migration_id, NULL AS digest FROM migration ORDER BY migration_id")
    return cursor.fetchall()


def look_in(cursor: Cursor, schema: str) -> None:
    """Let the list of a schema be the one that is meant, in this transaction."""
    cursor.execute("SELECT set_config('search_path', quote_ident(%s), true)", (schema,))


def note_digest(backend: Any, migration: Any) -> None:
    """Before it is applied: what is applied always has its digest, whatever ends this process in between."""
    with backend.transaction():
        backend.execute(
            "CREATE TABLE IF NOT EXISTS migration_digest (migration_id text PRIMARY KEY, digest text NOT NULL)"
        )
        write_digest(backend, backend.schema, migration)


def write_digest(backend: Any, schema: str, migration: Any) -> None:
    """In the transaction that the backend is in; `schema`: whose migration it is."""
    note = "INSERT INTO {} VALUES (%s, %s) ON CONFLICT (migration_id) DO UPDATE SET digest = excluded.digest"
    with backend.connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(note).format(sql.Identifier(schema, "migration_digest")),
            [migration.id, releases.digest(Path(migration.path))],
        )


def open_backend(url: str, schema: str, *, start_options: bool) -> Any:
    """Yoyo on the list of a schema."""
    how = {"schema": schema, "start_options": start_options}
    backend = Backend(DatabaseURI("postgresql", None, None, None, None, url, how), "migration")
    backend.init_database()
    return backend


class Backend(PostgresqlBackend):  # type: ignore[misc] # yoyo publishes no types
    """yoyo on a connection of ours: its own reading of addresses knows one host and no session settings."""

    def connect(self, dburi: DatabaseURI) -> Connection:
        self.schema = dburi.args["schema"]
        conn = connect(dburi.database, start_options=dburi.args["start_options"])
        conn.autocommit = True
        if dburi.args["start_options"]:
            with conn.cursor() as cursor:  # what runs outside a transaction may wait: nobody queues behind it
                cursor.execute(f"SET statement_timeout = 0; SET lock_timeout = '{LONGEST_WAIT_SECONDS}s'")
        return conn

    def begin(self) -> None:
        super().begin()
        self.execute("SET LOCAL statement_timeout = 0")  # a migration takes as long as its tables are large
        self.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """What yoyo notes, with the role's name: in a container this process's user may have none."""
        return {
            "id": str(uuid.uuid1()),
            "migration_id": migration and migration.id,
            "migration_hash": migration and migration.hash,
            "username": self.connection.info.user,
            "hostname": platform.node(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }
