"""The way to the ledger of mails: one statement after the other, which is faster than several at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from db.connection import Connection
from db.database import single_statements

# A server process that serves us all the time has everything at hand: docs/benchmarks.md has what that brings.
PATIENCE_SECONDS = 0.003  # then a thread goes ahead, on another connection

turn = Lock()


@contextmanager
def opened() -> Iterator[Connection]:
    """A connection on which every statement commits by itself, when this thread's turn has come."""
    in_turn = turn.acquire(timeout=PATIENCE_SECONDS)
    try:
        with single_statements() as conn:
            yield conn
    finally:
        if in_turn:
            turn.release()
