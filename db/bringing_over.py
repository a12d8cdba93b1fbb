"""Brings a database over whose queue or ledger no release had: plain tables, which are parted by time now."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import yoyo
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class that psycopg2 names in lower case

from db import coming_over, ledger_months, queries, releases
from db.applied import applied_digests, look_in, note_digest, open_backend, write_digest
from db.comparison import note_intended
from db.connection import Connection, connect
from db.patience import Patience

Place = tuple[Path, str]  # a folder of migrations, and the schema that remembers what of it is applied


def bring_over(patience: Patience, broker: Place, clinic: Place) -> list[str]:
    """Part what is not parted yet, and say so; what was done already of that is not done again."""
    if _is_due(patience, coming_over.is_due):
        patience.run("the queue's days", partial(_part_queue, patience, broker))
    told = [coming_over.follow(patience.url, start_options=patience.start_options)]
    if _is_due(patience, ledger_months.is_due):
        month = ledger_months.prepare(patience, clinic[0])
        patience.run("the ledger's months", partial(_part_ledger, patience, broker, clinic, month))
        told.append("parted the ledger of mails by the month")
    return list(filter(None, told))


def _is_due(patience: Patience, ask: Callable[[Connection], bool]) -> bool:
    with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn:
        return ask(conn)


def _part_queue(patience: Patience, broker: Place, watch: Callable[[Connection], None]) -> None:
    folder, schema = broker
    backend = open_backend(patience.url, schema, start_options=patience.start_options)
    migrations = yoyo.read_migrations(str(folder))
    try:
        for migration in migrations:
            note_digest(backend, migration)
        with backend.transaction():
            queries.coming_over.let_callers_follow(backend.connection)
        with backend.transaction():
            watch(backend.connection)
            parts = [*migrations, *migrations.post_apply]
            coming_over.change(backend.connection, [Path(each.path) for each in parts if each.path.endswith(".sql")])
            list(queries.roles.grant_rights(backend.connection))
            for migration in backend.to_apply(migrations):
                backend.mark_one(migration)
            note_intended(backend.connection)
    finally:
        backend.connection.close()


def _part_ledger(
    patience: Patience, broker: Place, clinic: Place, month: Any, watch: Callable[[Connection], None]
) -> None:
    """In one transaction with the notes of what is made anew, and of what is new."""
    backend = open_backend(patience.url, clinic[1], start_options=patience.start_options)
    try:
        with backend.transaction(), backend.connection.cursor() as cursor:
            watch(backend.connection)
            others = [_others(backend, cursor, place) for place in (broker, clinic)]
            files = [Path(each.path) for anew, _, last in others for each in (*anew, *last)]
            ledger_months.change(backend.connection, month, files)
            list(queries.roles.grant_rights(backend.connection))
            for (_, schema), (anew, missing, _) in zip((broker, clinic), others, strict=True):
                look_in(cursor, schema)
                for each in anew:
                    write_digest(backend, schema, each)
                for each in missing:
                    backend.mark_one(each)
            note_intended(backend.connection)
    finally:
        backend.connection.close()


def _others(backend: Any, cursor: Cursor, place: Place) -> tuple[list[Any], list[Any], list[Any]]:
    """What of a folder's migrations is to be made anew, what of that is missing, and what ends every migrate."""
    folder, schema = place
    migrations = yoyo.read_migrations(str(folder))
    applied = dict(applied_digests(cursor, schema))
    missing = list(backend.to_apply(migrations))
    sql = (each for each in migrations if each.path.endswith(".sql"))
    changed = [each for each in sql if applied.get(each.id) not in {None, releases.digest(Path(each.path))}]
    return sorted([*changed, *missing], key=lambda each: str(each.id)), missing, list(migrations.post_apply)
