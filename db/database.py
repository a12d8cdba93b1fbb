"""This process's database: where the settings say it is, and the one pool that actors, pages and the broker share."""

import settings
from db import connection, embedded
from db.connection import Connection, Pool


def url() -> str:
    """Where the database is: DATABASE_URL, or the embedded server that `make up` or `make demo` runs."""
    return settings.current().database_url or embedded.running_url(settings.current().database_folder)


def start_options() -> bool:
    """Whether connections may begin with options of ours: a transaction-mode pooler refuses them."""
    return settings.current().broker_listen


def connect(address: str | None = None) -> Connection:
    """One connection of the caller's own, to `address` or to this process's database.

    Raises:
        DatabaseError: the server does not answer, refuses the login, or is older than PostgreSQL 14.
    """
    return connection.connect(address or url(), start_options=start_options())


pool = Pool(url, lambda: settings.current().database_pool_size, start_options)  # opens nothing before it is used
transaction = pool.transaction
single_statements = pool.single_statements
