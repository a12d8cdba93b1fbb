"""dramatiq-postgres."""

import os
from pathlib import Path

import psycopg
from dramatiq_postgres import PostgresBroker, init
from psycopg_pool import ConnectionPool

from bench.players.actors import Actors, lean_middleware

URL = os.environ["DATABASE_URL"]
FILL = Path(__file__).parents[1] / "sql" / "fill_dramatiq_pg.sql"
CONNECTIONS = 20  # its own pool opens 4

pool = ConnectionPool(URL, min_size=1, max_size=CONNECTIONS, open=True)
actors = Actors(PostgresBroker(pool=pool, middleware=lean_middleware()))
send, pace = actors.send, actors.pace


def install() -> None:
    with psycopg.connect(URL) as conn, conn.cursor() as cursor:
        init(cursor)


def fill(count: int) -> None:
    with psycopg.connect(URL) as conn, conn.cursor() as cursor:
        cursor.execute(FILL.read_bytes(), {"count": count})
