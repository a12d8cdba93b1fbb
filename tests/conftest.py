"""What every test may ask for: a real PostgreSQL, a migrated database of its own, and settings that point at it."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2.extensions import quote_ident
from psycopg2.extras import NamedTupleCursor

import settings
from db import embedded
from db.connection import Connection
from db.database import pool
from db.migrate import migrate

TEMPLATE = "balansity_template"
CLONE = "balansity_test_"

os.environ["ENV_FILE"] = ""  # no test, and no process that one starts, reads a developer's .env
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nor inherits from nohup that a closed terminal means nothing


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of the server under test: TEST_DATABASE_URL, or the embedded one."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with embedded.running(settings.ROOT / "var" / "test-postgres") as url:
        yield url


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """A freshly migrated database, copied for every test that needs one."""
    for leftover in _databases(server, CLONE):
        drop_database(server, leftover)
    drop_database(server, TEMPLATE)
    create_database(server, TEMPLATE)
    migrate(at_database(server, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def empty_database(server: str) -> Iterator[str]:
    """The address of a database in which nothing exists yet."""
    name = CLONE + uuid.uuid4().hex[:12]
    create_database(server, name)
    yield at_database(server, name)
    drop_database(server, name)


@pytest.fixture
def database(server: str, template: str) -> Iterator[str]:
    """The address of a migrated database that no other test sees."""
    name = CLONE + uuid.uuid4().hex[:12]
    create_database(server, name, template)
    yield at_database(server, name)
    drop_database(server, name)


@pytest.fixture
def connect(database: str) -> Iterator[Callable[[], Connection]]:
    """Opens autocommit connections to the test's database and closes them after it."""
    opened: list[Connection] = []

    def open_one() -> Connection:
        conn = psycopg2.connect(database, cursor_factory=NamedTupleCursor)
        conn.autocommit = True
        opened.append(conn)
        return conn

    yield open_one
    for conn in opened:
        conn.close()


@pytest.fixture
def connection(connect: Callable[[], Connection]) -> Connection:
    """One autocommit connection to the test's database."""
    return connect()


@pytest.fixture(scope="session")
def shared_database(server: str, template: str) -> Iterator[str]:
    """The address of a migrated database in which every test undoes what it did."""
    name = CLONE + "shared"
    create_database(server, name, template)
    yield at_database(server, name)
    drop_database(server, name)


@pytest.fixture
def undone(shared_database: str) -> Iterator[Connection]:
    """A transaction that is rolled back after the test: no copy of a database needed, for tests of plain SQL."""
    conn = psycopg2.connect(shared_database, cursor_factory=NamedTupleCursor)
    yield conn
    conn.rollback()
    conn.close()


@pytest.fixture
def environment(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings of this process point at the test's database and a fresh outbox; set more with `.setenv` before use."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("EMAIL_OUTBOX_DIR", str(tmp_path / "outbox"))
    settings.current.cache_clear()
    pool.closeall()
    yield monkeypatch
    pool.closeall()
    settings.current.cache_clear()


def at_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(server: str, name: str, template: str = "template0") -> None:
    _administer(server, "CREATE DATABASE {} TEMPLATE {}", name, template)


def drop_database(server: str, name: str) -> None:
    _administer(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _administer(server: str, statement: str, *names: str) -> None:
    conn = psycopg2.connect(server)
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(statement.format(*(quote_ident(name, conn) for name in names)))
    finally:
        conn.close()


def _databases(server: str, prefix: str) -> list[str]:
    conn = psycopg2.connect(server)
    try:
        with conn.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,))
            return [name for (name,) in cursor.fetchall()]
    finally:
        conn.close()
