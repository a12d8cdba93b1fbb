"""Puts ours in charge of a database where an old system lives, and the old system in charge again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg2

from db import queries, turn
from db.comparison import is_noted, note_intended
from db.connection import Connection, connect
from db.mending import mend
from db.patience import LOCK_WAIT_MS, PATIENCE_SECONDS, Patience
from errors import BalansityError, DatabaseError

MESSAGES = 1000  # of a batch
LayOut = Callable[[Connection, Sequence[str]], list[tuple[str, BalansityError]]]


@dataclass(frozen=True)
class GivenBack:
    """What went with the old system: messages that were never begun, and paid consultations to come."""

    messages: int
    appointments: int


def take_over(url: str, *, start_options: bool = True) -> int:
    """Put ours in charge, in one transaction; returns the number of steps, 0 where ours was in charge of everything.

    Who is reminded by the old system until its end is seen everywhere is noted after it.

    Raises:
        DatabaseError: something is in the way, named with what to do; nothing was changed.
    """
    patience = Patience(url, start_options=start_options)
    with turn.taken(url, PATIENCE_SECONDS, start_options=start_options):
        mend(patience)
        steps: int = patience.run("take-over", partial(_step, patience, queries.takeover.take_over))
        patience.run("take-over", partial(_step, patience, queries.takeover.note_told_reminders))
    return steps


def hand_back(url: str, lay_out: LayOut, *, start_options: bool = True) -> GivenBack:
    """Put the old system in charge again, in one transaction, then give back its work in batches; may be repeated.

    `lay_out` puts what messages say, which may lie encrypted, where SQL finds it.

    Raises:
        DatabaseError: there is no old system, or something is in the way.
    """
    patience = Patience(url, start_options=start_options)

    def work_through(query: Callable[[Connection], int]) -> int:
        return sum(iter(lambda: patience.run("take-over --undo", partial(_step, patience, query)), 0))

    with turn.taken(url, PATIENCE_SECONDS, start_options=start_options):
        mend(patience)
        patience.run("take-over --undo", partial(_step, patience, queries.takeover.hand_back))
        return GivenBack(
            work_through(partial(_hand_back_messages, lay_out)), work_through(queries.takeover.hand_back_appointments)
        )


def _hand_back_messages(lay_out: LayOut, conn: Connection) -> int:
    ids = [id for (id,) in queries.takeover.never_begun(conn, limit=MESSAGES)]  # noqa: A001 - the row's column
    for message_id, error in lay_out(conn, ids):
        raise DatabaseError(f"Message {message_id} cannot be given back: {error} Set its key, and undo again.")
    return int(queries.takeover.hand_back_messages(conn, ids=ids))


def _step(patience: Patience, query: Callable[[Connection], Any], watch: Callable[[Connection], None]) -> Any:
    conn = connect(patience.url, start_options=patience.start_options)
    try:
        with conn:
            queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
            watch(conn)
            done = query(conn)
            if not is_noted(conn):  # who is in charge has changed, and with it what should be there
                note_intended(conn)
            return done
    except psycopg2.errors.RaiseException as error:  # the functions' own sentence: what is in the way, what to do
        raise DatabaseError(str(error.diag.message_primary)) from error
    finally:
        conn.close()
