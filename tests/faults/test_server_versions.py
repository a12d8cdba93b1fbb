"""The broker on every PostgreSQL at hand: Debian's 15 and both embedded ones, 16 and 18."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest

import settings
from tests.servers import debian_postgres, own_postgres

TESTS = [
    f"tests/integration/test_{name}.py"
    for name in ("migrate", "broker", "broker_bridge", "broker_send", "broker_speed", "broker_troubles", "message_keys")
]


@contextmanager
def running(version: int) -> Iterator[str]:
    if version >= 16:
        with own_postgres.running(version) as server:
            yield server.url
    elif (debian_postgres.PROGRAMS / str(version) / "bin" / "initdb").exists():
        with debian_postgres.running(version) as url:
            yield url
    else:
        pytest.skip(f"needs Debian's package postgresql-{version}")


def version_of(url: str) -> int:
    conn = psycopg2.connect(url)
    try:
        return conn.server_version // 10_000
    finally:
        conn.close()


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("version", [15, 16, 18])
def test_the_tests_of_the_broker_pass_on_postgresql(version: int, server: str) -> None:
    if version_of(server) == version:
        pytest.skip("the whole suite runs on it")
    with running(version) as url:
        assert version_of(url) == version
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        surroundings = {**os.environ, "TEST_DATABASE_URL": url}
        done = subprocess.run(command, cwd=settings.ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    print(f"PostgreSQL {version}: {done.stdout.splitlines()[-1]}")
