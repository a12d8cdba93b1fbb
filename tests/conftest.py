"""What every test may ask for: a real PostgreSQL, a migrated database of its own, settings that point at it, the site.

Parallel runs share one server: the process that hands out the tests runs it, the workers clone its template.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import psycopg2
import pytest
from psycopg2.extras import NamedTupleCursor

import broker as application
import settings
from db.connection import Connection
from db.database import pool
from tests.clinic import Clinic
from tests.live.database import LiveDatabase
from tests.live.database import live_database as live_databases
from tests.servers import shared_postgres

# A failure prints what repeats it; a busy machine is no failure.
hypothesis.settings.register_profile("balansity", print_blob=True, deadline=None)
hypothesis.settings.load_profile("balansity")
pytest_plugins = ["tests.rules"]
SHARED_SERVER = pytest.StashKey[str]()

os.environ["ENV_FILE"] = ""  # no test, and no process that one starts, reads a developer's .env
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nor inherits from nohup that a closed terminal means nothing,
signal.signal(signal.SIGINT, signal.default_int_handler)  # or from a shell's background that Ctrl-C does


def pytest_configure_node(node: Any) -> None:
    """Tell a new worker of a parallel run where the server is; before the first one it is started."""
    stash = node.config.stash
    if SHARED_SERVER not in stash:
        servers = ExitStack()
        node.config.add_cleanup(servers.close)
        stash[SHARED_SERVER] = servers.enter_context(shared_postgres.running())
    node.workerinput["server"] = stash[SHARED_SERVER]


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[str]:
    """The address of the server under test, which has the migrated template."""
    if lent := getattr(pytestconfig, "workerinput", {}).get("server"):
        yield lent
        return
    with shared_postgres.running() as url:
        yield url


@pytest.fixture
def empty_database(server: str) -> Iterator[str]:
    """The address of a database in which nothing exists yet."""
    with shared_postgres.database(server, "template0") as url:
        yield url


@pytest.fixture
def live_database(server: str, worker_id: str) -> Iterator[LiveDatabase]:
    """A database of the live kind that is not migrated yet: roles, rows, triggers and functions as in tests/live."""
    with live_databases(server, f"live_kind_{worker_id}") as live:
        yield live


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The address of a migrated database that no other test sees."""
    with shared_postgres.database(server) as url:
        yield url


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
def shared_database(server: str) -> Iterator[str]:
    """The address of a migrated database in which every test undoes what it did."""
    with shared_postgres.database(server) as url:
        yield url


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
    application.broker.close()  # what actors sent to it is over
    pool.closeall()
    settings.current.cache_clear()


@pytest.fixture
def clinic(request: pytest.FixtureRequest) -> Clinic:
    """The site, in a database that our settings name; where a test is marked `undone`, in a transaction of `undone`."""
    if request.node.get_closest_marker("undone"):
        return Clinic(request.getfixturevalue("undone"))
    request.getfixturevalue("environment")
    return Clinic(request.getfixturevalue("connection"))
