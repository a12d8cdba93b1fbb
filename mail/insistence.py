"""Writes to the ledger that wait for the database, for as long as it is away."""

import time
from collections.abc import Callable
from itertools import chain, repeat

import psycopg2
from dramatiq.middleware import Interrupt

from db.connection import Connection
from db.database import single_statements
from db.trouble import passes
from log import EventLogger, first_line

PAUSES_SECONDS = (0.2, 0.5)  # between the first tries,
LONGEST_PAUSE_SECONDS = 1.0  # and between all others

events = EventLogger(__name__)


def insist(write: Callable[[Connection], object]) -> None:
    """Have something written that this process alone knows; nobody else needs its thread while the database is away.

    Neither the actor's time limit nor a shutdown ends that: what is known must not become unknown.

    Raises:
        psycopg2.Error: the database refuses it for good.
    """
    pauses = chain(PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS))
    written = False
    while not written:
        try:
            written = _try(write)
            if not written:
                time.sleep(next(pauses))
        except Interrupt:  # once per run of an actor
            events.warning("ledger_write_outlasts_its_message")


def _try(write: Callable[[Connection], object]) -> bool:
    try:
        with single_statements() as conn:
            write(conn)
    except psycopg2.Error as error:
        if not passes(error):
            raise
        events.warning("ledger_not_written", reason=first_line(error))
        return False
    return True
