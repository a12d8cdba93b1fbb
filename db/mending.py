"""Mends a database where it differs from what the last migrate left there."""

from collections.abc import Callable
from contextlib import closing
from functools import partial

import psycopg2

from address import shown
from db import queries
from db.comparison import Difference, differences, is_lost, is_noted, note_intended, note_places
from db.connection import Connection, connect
from db.patience import LOCK_WAIT_MS, Patience
from errors import DatabaseError
from log import EventLogger, first_line

ROUNDS = 9  # mending one difference may bring about, or end, another: a function goes with the rights to it
LOST = (
    "noted what is here as what should be, for balansity.intended was lost: what else was lost with it "
    "nobody can tell; compare with a backup"
)
events = EventLogger(__name__)


def mend(patience: Patience) -> list[str]:
    """Make what differs as it should be, each difference in a transaction of its own; says what was mended.

    Raises:
        DatabaseError: something cannot be mended, or not by this role; everything else is.
    """
    mended: list[str] = []
    obstacles: list[str] = []
    with closing(connect(patience.url, start_options=patience.start_options)) as conn:
        for _ in range(ROUNDS):
            found = patience.run("the comparison", partial(_compare, conn))
            # What only has another name comes first, with all that belongs to it: else it would be made twice.
            found = [each for each in found if each.problem.startswith("is called")] or found
            if not found:
                return mended
            before, obstacles = obstacles, []
            for each in found:
                if obstacle := _mended(conn, patience, each):
                    obstacles.append(obstacle)
                else:
                    mended.append(f"mended {each.kind} {each.name}, which {each.problem.replace('is ', 'was ', 1)}")
            if obstacles and obstacles == before:
                break
    left = obstacles or [f"{each}, again and again." for each in found]
    raise DatabaseError(f"{shown(patience.url)} cannot be mended. {' '.join(left)}")


def take_stock(patience: Patience, *, changed: bool) -> None:
    """Note what is there as what should be, where a migration changed it, or a server of another version writes it."""

    def attempt(watch: Callable[[Connection], None]) -> None:
        with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn:
            queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
            watch(conn)
            if is_lost(conn):
                return
            if changed or not is_noted(conn):
                note_intended(conn)
            else:
                note_places(conn)

    patience.run("the note of what should be", attempt)


def _compare(conn: Connection, watch: Callable[[Connection], None]) -> list[Difference]:
    with conn:
        queries.locks.limit_wait(conn, ms=LOCK_WAIT_MS)
        watch(conn)
        return differences(conn)


def _mended(conn: Connection, patience: Patience, difference: Difference) -> str:
    """Mend it; says what is in the way, if something is."""
    able = f"as role {difference.able}" if difference.able else "as a superuser"
    if difference.by_hand:
        return f"{difference}: {able}, {difference.by_hand}."
    try:
        patience.run(str(difference), partial(_make, conn, difference.remedy))
    except psycopg2.Error as error:
        return f"{difference}: {first_line(error)}; mend it {able}: {difference.remedy}."
    events.info("mended", kind=difference.kind, name=difference.name, problem=difference.problem)
    return ""


def _make(conn: Connection, statement: str, watch: Callable[[Connection], None]) -> None:
    with conn, conn.cursor() as cursor:
        watch(conn)
        cursor.execute(f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
        cursor.execute("SET LOCAL check_function_bodies = off")  # what they call may be missing, too
        cursor.execute(statement)
