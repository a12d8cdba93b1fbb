"""PgBouncer from Debian's packages, in transaction mode before a PostgreSQL that listens on a Unix socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

from tests.waiting import until

PROGRAM = Path("/usr/sbin/pgbouncer")
START_SECONDS = 10

CONFIGURATION = """
[databases]
* = {server}

[pgbouncer]
listen_addr =
unix_socket_dir = {home}
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
client_login_timeout = {patience}
ignore_startup_parameters = {ignored}
logfile = {home}/log
"""


@contextmanager
def running(url: str, *, connections: int, ignored: str = "") -> Iterator[str]:
    """Run one before the server of `url`, with so many server connections; gives the database's address through it.

    Of the parameters that a session begins with it takes those that it is told to have `ignored`, and drops them.
    """
    with tempfile.TemporaryDirectory() as home:
        server = parse_dsn(url)
        database = " ".join(f"{key}={server[key]}" for key in ("host", "port", "user", "password") if key in server)
        configuration = Path(home, "pgbouncer.ini")
        configuration.write_text(
            CONFIGURATION.format(
                server=database, home=home, connections=connections, patience=START_SECONDS, ignored=ignored
            )
        )
        owner = None
        if os.geteuid() == 0:  # PgBouncer refuses to run as root; the server's owner may open its socket
            owner = Path(server["host"]).owner() if server["host"].startswith("/") else "postgres"
            shutil.chown(home, owner)
        process = subprocess.Popen([str(PROGRAM), "--quiet", str(configuration)], user=owner)
        pooled = f"postgresql://{server['user']}@/{server['dbname']}?host={home}&port=6432"
        try:
            until(lambda: _answers(pooled), "PgBouncer answers", START_SECONDS)
            yield pooled
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    with suppress(psycopg2.OperationalError):
        psycopg2.connect(url).close()
        return True
    return False
