"""What an error of the database means, by SQLSTATE alone: psycopg2's classes are cut along other lines."""

import psycopg2
from psycopg2.errorcodes import READ_ONLY_SQL_TRANSACTION
from psycopg2.pool import PoolError

from log import first_line

ENDED = ("08", "57P", "25P03", "25P04")  # how the codes of errors begin that end a connection
PASSES = (
    *ENDED,
    READ_ONLY_SQL_TRANSACTION,  # a standby that is not promoted yet
    *("40001", "40P01", "55P03"),  # others were in the way: serialization, deadlock, lock timeout
    *("53", "57", "58"),  # resources, an operator, the system around the server
)
QUOTING = ("22", "P0")  # data, and what functions raise
RUN_OUT = ("53100", "53300", "58")  # disk, connections, the system around the server
TRANSACTION_TIMEOUT = "25P04"  # ends a connection because of what was done on it
UNMIGRATED = ("3F000", "42P01", "42883")  # no such schema, table or function
# Without a code, these come from psycopg2 or a pool; any other comes from a connection that ended.
OURS = (PoolError, psycopg2.ProgrammingError, psycopg2.DataError, psycopg2.NotSupportedError)


def passes(error: psycopg2.Error) -> bool:
    """Whether the same call may succeed later, so that it is waited out; anything else is somebody's fault."""
    return isinstance(error, PoolError) or is_lost(error) or (error.pgcode or "").startswith(PASSES)


def is_lost(error: psycopg2.Error) -> bool:
    """Whether the connection is gone, or never was: not that the server gave a statement up, or that none is free."""
    if error.pgcode is None:
        return not isinstance(error, OURS)
    return error.pgcode.startswith(ENDED)


def spoils(error: psycopg2.Error) -> bool:
    """Whether a connection is of no use after this: it is gone, or leads to a server that takes no writes."""
    return is_lost(error) or error.pgcode == READ_ONLY_SQL_TRANSACTION


def is_servers(error: psycopg2.Error) -> bool:
    """Whether it passes and lies with the server, so that less of the same would fail as well."""
    if error.pgcode == TRANSACTION_TIMEOUT:
        return False
    return isinstance(error, PoolError) or spoils(error) or (error.pgcode or "").startswith(RUN_OUT)


def unmigrated(error: psycopg2.Error) -> bool:
    """Whether what is missing comes with a migration."""
    return error.pgcode in UNMIGRATED


def quoteless(error: psycopg2.Error) -> str:
    """What an error says, for a log; only its kind where its words may quote a row: of data, or a trigger's own."""
    return type(error).__name__ if (error.pgcode or "").startswith(QUOTING) else first_line(error)


def explained(error: psycopg2.Error) -> str:
    """What to do, where that is to migrate; else an error's first line."""
    if unmigrated(error):
        return "The database is not migrated: run `balansity migrate`."  # whatever was asked for first
    return first_line(error)
