"""dramatiq-pg as it is."""

import os
from pathlib import Path

import psycopg2
from dramatiq_pg import PostgresBroker
from dramatiq_pg.schema import generate_init_sql
from psycopg2.pool import ThreadedConnectionPool

from bench.players.actors import Actors, lean_middleware

URL = os.environ["DATABASE_URL"]
FILL = Path(__file__).parents[1] / "sql" / "fill_dramatiq_pg.sql"
CONNECTIONS = 20  # its own pool opens 4, and its workers wait for them

actors = Actors(PostgresBroker(pool=ThreadedConnectionPool(0, CONNECTIONS, URL), middleware=lean_middleware()))
send, pace = actors.send, actors.pace


def install() -> None:
    with psycopg2.connect(URL) as conn, conn.cursor() as cursor:
        cursor.execute(generate_init_sql())


def fill(count: int) -> None:
    with psycopg2.connect(URL) as conn, conn.cursor() as cursor:
        cursor.execute(FILL.read_text(), {"count": count})
