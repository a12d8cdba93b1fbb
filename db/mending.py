"""Compares a database with what the last migrate left there, and mends what differs."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import psycopg2

from address import shown
from db import queries
from db.connection import Connection, connect
from db.patience import LOCK_WAIT_MS, Patience
from errors import DatabaseError
from log import EventLogger, first_line

ROUNDS = 5  # mending one difference may bring about, or end, another: a function goes with the rights to it
events = EventLogger(__name__)


def mend(patience: Patience) -> None:
    """Make what differs as it should be, each difference in a transaction of its own; nothing where nothing was noted.

    Raises:
        DatabaseError: something cannot be mended, or not by this role.
    """
    obstacles: list[str] = []
    with closing(connect(patience.url, start_options=patience.start_options)) as conn:
        for _ in range(ROUNDS):
            with conn:
                found = list(queries.intended.differences(conn)) if queries.intended.is_comparable(conn) else []
            if not found:
                return
            before, obstacles = obstacles, [obstacle for each in found if (obstacle := _mended(conn, patience, each))]
            if obstacles and obstacles == before:
                break
    left = obstacles or [f"{described(each)}, again and again." for each in found]
    raise DatabaseError(f"{shown(patience.url)} cannot be mended. {' '.join(left)}")


def take_stock(patience: Patience, *, changed: bool) -> None:
    """Note what is there as what should be, where a migration changed it, or a server of another version writes it."""
    with closing(connect(patience.url, start_options=patience.start_options)) as conn, conn:
        if queries.intended.is_comparable(conn) and (changed or not queries.intended.is_noted(conn)):
            queries.intended.note_intended(conn)


def described(difference: Any) -> str:
    """A difference in words, for example `trigger ring on pgmq.q_email_queue is missing`."""
    return f"{difference.kind} {difference.name} {difference.problem}"


def _mended(conn: Connection, patience: Patience, difference: Any) -> str:
    """Mend it; says what is in the way, if something is."""
    try:
        patience.run(described(difference), partial(_make, conn, difference.remedy))
    except psycopg2.Error as error:
        able = f"as role {difference.able}" if difference.able else "as a superuser"
        return f"{described(difference)}: {first_line(error)}; mend it {able}: {difference.remedy}."
    events.info("mended", kind=difference.kind, name=difference.name, problem=difference.problem)
    return ""


def _make(conn: Connection, statement: str, watch: Callable[[Connection], None]) -> None:
    with conn, conn.cursor() as cursor:
        watch(conn)
        cursor.execute(f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
        cursor.execute(statement)
