"""Brings a database to the newest schema; safe to run from several processes at once."""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import yoyo
from psycopg2.extensions import parse_dsn, quote_ident

from address import shown
from db import queries, releases, turn
from db.applied import DIGEST, applied_digests, note_digest, open_backend
from db.bringing_over import bring_over
from db.comparison import is_lost, should_be
from db.connection import Connection, connect
from db.mending import LOST, mend, take_stock
from db.patience import LOCK_WAIT_MS, PATIENCE_SECONDS, Patience
from errors import DatabaseError
from log import EventLogger, first_line

MIGRATIONS = Path(__file__).parent / "migrations"
BROKER = (MIGRATIONS / "broker", "dramatiq")  # a folder, and the schema that remembers what of it is applied
CLINIC = (MIGRATIONS / "clinic", "balansity")
LISTS = (BROKER[1], CLINIC[1])  # schemas that list what is applied
NOTE = CLINIC[0] / "055_compare_with_what_is_intended.sql"  # makes the table of what should be
events = EventLogger(__name__)


@dataclass
class Migrated:
    """What a migrate did: the migrations that it applied, and sentences about what it mended and granted."""

    applied: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)


def migrate(
    url: str,
    folders: Sequence[tuple[Path, str]] = (BROKER, CLINIC),
    *,
    start_options: bool = True,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Migrated:
    """Apply what is missing, each migration in its own transaction, and mend what differs from what was there before.

    Without `start_options` where a transaction-mode pooler refuses them. No lock is waited for longer than others can
    bear to queue behind it; one that is held is asked for again until `patience_seconds` have passed.

    Raises:
        DatabaseError: the server cannot be reached, is too old, refuses a privilege, or holds what is in the way; or
            something of ours is broken that cannot be mended from here.
    """
    done = Migrated()
    patience = Patience(url, patience_seconds, start_options=start_options)
    with turn.taken(url, patience_seconds, start_options=start_options):
        done.mended += bring_over(patience, BROKER, CLINIC)
        for folder, schema in folders:
            _refuse_other_content(patience, folder, schema)
        if CLINIC in folders:
            done.mended += patience.run("the note of what should be", partial(_replace_lost_note, patience))
        done.mended += mend(patience)  # before what should be there is noted anew
        for _, schema in folders:
            _refuse_lost_list(patience, schema)
        done.mended += patience.run("rights", partial(_grant, patience))
        try:
            for folder, schema in folders:
                _create_schema(url, schema, start_options=start_options)
                done.applied += _apply(patience, folder, schema)
        except psycopg2.errors.RaiseException as error:  # a migration's own sentence: what is in the way, what to do
            raise DatabaseError(f"{shown(url)} cannot be migrated as it is. {error.diag.message_primary}") from error
        except psycopg2.errors.InsufficientPrivilege as error:
            user = parse_dsn(url).get("user")
            raise DatabaseError(
                f"Role {user} lacks a privilege at {shown(url)}: {str(error).strip()}. "
                f"Migrate as the owner of the site's tables: {_sites_owner(url, start_options=start_options)}."
            ) from error
        except (
            psycopg2.errors.UndefinedTable,
            psycopg2.errors.UndefinedColumn,
            psycopg2.errors.UndefinedFunction,
        ) as error:
            raise DatabaseError(
                f"Something of ours is gone from {shown(url)}, and nothing notes how it was: {first_line(error)}. "
                "Restore what is named from a backup, and migrate again."
            ) from error
        take_stock(patience, changed=bool(done.applied))
        owned = mend(patience)  # what a superuser has made is the site's owner's
    return Migrated(done.applied, done.mended + owned * (not done.applied))


def _sites_owner(url: str, *, start_options: bool) -> str:
    """Who owns the tables of the site: `postgres` on Supabase, `supabase_admin` where it is self-hosted."""
    with closing(connect(url, start_options=start_options)) as conn, conn:
        return str(queries.intended.sites_owner(conn) or "whoever owns the database")


def _refuse_lost_list(patience: Patience, schema: str) -> None:
    """Refuse a database that no longer says what is applied, for what is missing cannot be told then."""
    with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn:
        if queries.intended.is_listless(conn, schema=schema):
            raise DatabaseError(
                f"{shown(patience.url)} no longer lists what migrations are applied. {lost_list(schema)}"
            )


def lost_list(schema: str) -> str:
    """What a person must do where the list of what is applied is lost."""
    return (
        f"Restore what is missing of {schema}.migration, {schema}._yoyo_log and {schema}._yoyo_version from a backup, "
        "and run `balansity migrate` again."
    )


def _replace_lost_note(patience: Patience, watch: Callable[[Connection], None]) -> list[str]:
    """Make the table of what should be anew where it was lost, for what is there now to be noted."""
    with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn, conn.cursor() as cursor:
        if NOTE.stem not in dict(applied_digests(cursor, CLINIC[1])) or not is_lost(conn):
            return []
        queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
        watch(conn)
        cursor.execute("DROP TABLE IF EXISTS balansity.intended")
        cursor.execute(NOTE.read_text(encoding="utf-8"))
    return [LOST]


def _grant(patience: Patience, watch: Callable[[Connection], None]) -> list[str]:
    """Give the roles of workers and the web what they lack of rights."""
    with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn:
        if not queries.roles.can_grant(conn):
            return []
        queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
        watch(conn)
        return [f"granted: {each.statement}" for each in queries.roles.grant_rights(conn)]


def _refuse_other_content(patience: Patience, folder: Path, schema: str) -> None:
    """Refuse a database that earlier files of the same names made: yoyo compares names only."""
    files = {migration.id: Path(migration.path) for migration in yoyo.read_migrations(str(folder))}
    url, table = patience.url, f"{schema}.migration_digest"
    with closing(connect(url, start_options=patience.start_options)) as conn, conn, conn.cursor() as cursor:
        if not queries.intended.is_whole(conn, table=table, columns=DIGEST) and should_be(conn, table):
            return  # it was lost, which mending will say
        applied = applied_digests(cursor, schema)
    for name, digest in applied:
        if digest is None:
            raise DatabaseError(f"{shown(url)} {releases.never_had(name)}")
        if name in files and digest != releases.digest(files[name]):
            raise DatabaseError(f"{shown(url)} {releases.told_apart(files[name], digest)}")


def _apply(patience: Patience, folder: Path, schema: str) -> list[str]:
    backend = open_backend(patience.url, schema, start_options=patience.start_options)
    try:
        migrations = yoyo.read_migrations(str(folder))
        missing = backend.to_apply(migrations)
        for migration in missing:
            note_digest(backend, migration)
            patience.run(migration.id, partial(_apply_one, backend, migration))
            events.info("migration_applied", migration=migration.id)
        for migration in migrations.post_apply:
            patience.run(migration.id, partial(_apply_one, backend, migration, mark=False))
    finally:
        backend.connection.close()
    return [migration.id for migration in missing]


def _apply_one(backend: Any, migration: Any, watch: Callable[[Connection], None], *, mark: bool = True) -> None:
    """A migration and the note that it is applied, in one transaction where it has one."""
    migration.load()
    with backend.transaction() if migration.use_transactions else nullcontext():
        watch(backend.connection)
        migration.process_steps(backend, "apply")
        if mark:
            backend.mark_one(migration)


def pending(url: str, *, start_options: bool = True) -> list[str]:
    """The names of the migrations that `url` lacks; nothing is changed."""
    names: list[str] = []
    with closing(connect(url, start_options=start_options)) as conn, conn, conn.cursor() as cursor:
        for folder, schema in (BROKER, CLINIC):
            applied = dict(applied_digests(cursor, schema))
            names += [each.id for each in yoyo.read_migrations(str(folder)) if each.id not in applied]
    return names


def _create_schema(url: str, schema: str, *, start_options: bool) -> None:
    """Keep yoyo's own tables out of `public`, which Supabase publishes to browsers."""
    conn = connect(url, start_options=start_options)
    try:
        with conn, conn.cursor() as cursor:
            cursor.execute("SELECT to_regnamespace(%s) IS NULL", (schema,))
            if cursor.fetchone() == (True,):
                cursor.execute(f"CREATE SCHEMA {quote_ident(schema, conn)}")
    except psycopg2.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"Cannot create the schema {schema} at {shown(url)}: {str(error).strip()}. "
            "Grant CREATE on the database to this role, or migrate as its owner."
        ) from None
    finally:
        conn.close()
