"""What an error of the database means: what passes is waited out, what does not is somebody's fault."""

from collections.abc import Callable

import psycopg2
import pytest

from db.connection import Connection, connect
from db.trouble import is_lost, passes

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'of a test' USING ERRCODE = '{}'; END $$"


def error_of(act: Callable[[], object]) -> psycopg2.Error:
    with pytest.raises(psycopg2.Error) as raised:
        act()
    return raised.value


@pytest.mark.parametrize(
    "code",
    ["08006", "25006", "25P03", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "57P03", "58030"],
)
def test_what_passes_is_told_by_its_code_whatever_class_psycopg2_gives_it(undone: Connection, code: str) -> None:
    assert passes(error_of(lambda: undone.cursor().execute(RAISE.format(code))))


@pytest.mark.parametrize("code", ["22001", "22P02", "23505", "42501", "42P01", "54000", "P0001", "XX000"])
def test_what_is_somebodys_fault_does_not_pass(undone: Connection, code: str) -> None:
    assert not passes(error_of(lambda: undone.cursor().execute(RAISE.format(code))))


def test_a_connection_that_ended_is_lost_and_a_misuse_of_psycopg2_is_not(database: str, connection: Connection) -> None:
    conn = connect(database)
    assert not passes(error_of(lambda: conn.cursor().execute("SELECT %s", (object(),))))
    connection.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", (conn.info.backend_pid,))
    for _ in range(2):  # the server's last words, then the closed connection's own
        error = error_of(lambda: conn.cursor().execute("SELECT 1"))
        assert is_lost(error)
        assert passes(error)
