"""Databases that benchmarks fill and drop."""

import psycopg2

from db.migrate import migrate


def fresh(server: str, name: str) -> str:
    """The address of a migrated database of that name at `server`, an embedded one; the one before it is dropped."""
    conn = psycopg2.connect(server)
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    conn.close()
    url = server.replace("/postgres?", f"/{name}?")
    migrate(url)
    return url
