"""The PostgreSQL that all tests share, and its databases: empty ones and copies of a migrated template."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2.extensions import quote_ident

from db import embedded
from db.migrate import migrate
from tests.servers import ground

TEMPLATE = "balansity_template"
CLONE = "balansity_test_"
SETTINGS = {
    **dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off"),  # after a power cut nobody misses it
    "max_wal_size": "256MB",  # of memory
}


@contextmanager
def running() -> Iterator[str]:
    """Give the address of a server that has the template: TEST_DATABASE_URL, or the embedded one until the end."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        _furnish(given)
        yield given
        return
    folder = ground.folder("test-postgres")
    with embedded.running(folder) as url:
        for name, value in SETTINGS.items():
            _administer(url, f"ALTER SYSTEM SET {name} = '{value}'")
        _administer(url, "SELECT pg_reload_conf()")
        _furnish(url)
        yield url
    shutil.rmtree(folder)


@contextmanager
def database(server: str, template: str = TEMPLATE) -> Iterator[str]:
    """The address of a copy of the template, which is dropped after the block."""
    name = CLONE + uuid.uuid4().hex[:12]
    create_database(server, name, template)
    yield at_database(server, name)
    drop_database(server, name)


def at_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(server: str, name: str, template: str = "template0") -> None:
    _administer(server, "CREATE DATABASE {} TEMPLATE {}", name, template)


def drop_database(server: str, name: str) -> None:
    _administer(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _furnish(server: str) -> None:
    """Migrate a new template, and drop what a run that was killed has left."""
    for leftover in _clones(server):
        drop_database(server, leftover)
    drop_database(server, TEMPLATE)
    create_database(server, TEMPLATE)
    migrate(at_database(server, TEMPLATE))
    _administer(at_database(server, TEMPLATE), "DELETE FROM balansity.home")  # its copies are no restored databases


def _administer(server: str, statement: str, *names: str) -> None:
    conn = psycopg2.connect(server)
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(statement.format(*(quote_ident(name, conn) for name in names)))
    finally:
        conn.close()


def _clones(server: str) -> list[str]:
    conn = psycopg2.connect(server)
    try:
        with conn.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (CLONE,))
            return [name for (name,) in cursor.fetchall()]
    finally:
        conn.close()
