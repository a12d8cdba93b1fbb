"""Brings a ledger of mails that is plain tables over to tables of months, while mails go on: no release had such a one.

Nothing is moved. What takes long is done beside the workers: the keys are noted, batch by batch, in the table that
keeps them unique from now on, and what a month's table needs is built. Then, in one short transaction, the tables
become those of the present month and of all before it, and every function that has changed is made anew.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from db import queries
from db.batches import work_through
from db.coming_over import make_anew
from db.connection import Connection, connect
from db.patience import LOCK_WAIT_MS, Patience
from errors import DatabaseError

LEDGERS = {  # what rows are found by, and the time that decides about their month
    "delivery": ("id", "planned_at"),
    "delivery_attempt": ("delivery_id, number", "started_at"),
    "delivery_event": ("delivery_id, id", "received_at"),
}
KEYS = "019_keep_delivery_keys.sql"  # the migration that makes the table of keys
LEAST_SECONDS = 3600  # that are left of a month, for what is done in it

Watch = Callable[[Connection], None]


def is_due(conn: Connection) -> bool:
    """Whether the ledger is plain tables."""
    return bool(queries.ledger_months.is_older(conn))


def prepare(patience: Patience, clinic: Path) -> Any:
    """Do what takes long, beside who writes mails; gives the month that the tables are to end with.

    Raises:
        DatabaseError: the month is nearly over, or a key cannot be noted; what was done is not done again.
    """
    with closing(connect(patience.url, start_options=patience.start_options)) as conn:
        with conn:
            month = queries.ledger_months.month(conn)
        if month.seconds_left < LEAST_SECONDS:
            raise DatabaseError(
                f"The ledger of mails is to be parted by the month, and this one ends in {month.seconds_left} s (UTC): "
                "nothing is done. Migrate again after that."
            )
        patience.run("the keys of mails", partial(_follow, conn, clinic))
        _note_keys(conn)
        _furnish(patience, month)
    return month


def change(conn: Connection, month: Any, files: Iterable[Path]) -> None:
    """Part the ledger, and make what has changed in these migrations, in the caller's transaction."""
    queries.ledger_months.make_way(conn, month=month.name)
    queries.coming_over.drop_other_indexes(conn)
    make_anew(conn, files)
    queries.ledger_months.attach(conn, month=month.name, ends=month.ends)


def _follow(conn: Connection, clinic: Path, watch: Watch) -> None:
    with conn:
        queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
        watch(conn)
        make_anew(conn, [clinic / KEYS])
        queries.ledger_months.follow_keys(conn)


def _note_keys(conn: Connection) -> None:
    @contextmanager
    def transaction() -> Iterator[Connection]:
        with conn:
            yield conn

    def note(conn: Connection, ids: list[str]) -> dict[str, int]:
        return {"noted": queries.ledger_months.note_keys(conn, keys=ids)}

    done = work_through(transaction, "delivery", queries.ledger_months.deliveries, note)
    if done.skipped:
        raise DatabaseError(f"The keys of mails cannot be noted{done.note()}. Mend that, and migrate again.")


def _furnish(patience: Patience, month: Any) -> None:
    """Build what a month's table has, outside transactions and beside who writes."""
    with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn.cursor() as cursor:
        conn.autocommit = True
        cursor.execute("SET statement_timeout = 0")
        for ledger, (columns, time_column) in LEDGERS.items():
            index = f"balansity.{ledger}_by_month"
            if queries.ledger_months.is_half_built(conn, name=index):
                cursor.execute(f"DROP INDEX CONCURRENTLY {index}")
            cursor.execute(
                f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {ledger}_by_month "
                f"ON balansity.{ledger} ({columns}, {time_column})"
            )
            patience.run(f"the end of {ledger}", partial(_bound, conn, ledger, f"{time_column} < '{month.ends}'"))
            cursor.execute(f"ALTER TABLE balansity.{ledger} VALIDATE CONSTRAINT before_next_month")


def _bound(conn: Connection, ledger: str, condition: str, watch: Watch) -> None:
    with conn.cursor() as cursor:
        watch(conn)
        cursor.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
        cursor.execute(
            f"ALTER TABLE balansity.{ledger} DROP CONSTRAINT IF EXISTS before_next_month, "
            f"ADD CONSTRAINT before_next_month CHECK ({condition}) NOT VALID"
        )
        cursor.execute("RESET lock_timeout")
