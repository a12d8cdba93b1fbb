"""Where somebody's open transaction has filled the server's queue of notifications, senders commit all the same."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.errors import ProgramLimitExceeded

from db.migrate import BROKER, migrate
from messaging.doorbell import Doorbell
from messaging.rest import Rest
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer

NOTIFY = "SELECT pg_notify('of a stranger', repeat('x', 7000) || %s)"
FULL = 64 * 2  # pages of the smallest queue, each of which holds one such notice


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        server.query("ALTER SYSTEM SET max_notify_queue_pages = 64")
        server.restart("fast")
        migrate(server.url, (BROKER,))
        yield server


def test_a_sender_rings_for_nobody_where_its_commit_would_fail_for_it(server: OwnServer) -> None:
    with closing(psycopg2.connect(server.url)) as holder, closing(psycopg2.connect(server.url)) as sleeper:
        with holder.cursor() as cursor:
            cursor.execute('LISTEN "of a stranger"')
            holder.commit()
            cursor.execute("SELECT 1")  # from here on it hears nothing, and everything is kept for it
        sleeper.autocommit = True
        Rest(Doorbell()).turn(sleeper, {"default"}, 0)
        with pytest.raises(ProgramLimitExceeded, match="notification"):
            fill(server)
        server.query("SELECT dramatiq.ring('{default}')")


def fill(server: OwnServer) -> None:
    for number in range(FULL):
        server.query(NOTIFY, str(number))
