"""What the tests of rest share: an actor whose queue pgmq feeds, a stranger, and whether a bell rings."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import dramatiq
import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from db.connection import Connection
from messaging.broker import PostgresBroker
from messaging.doorbell import Doorbell
from tests.integration.broker_cases import run
from tests.waiting import until

Connect = Callable[[], Connection]
ROUTE = "analytics_queue"
HOLDS = pytest.mark.parametrize("lock", ["pg_advisory_lock", "pg_advisory_lock_shared"])


@pytest.fixture(autouse=True)
def actor(broker: PostgresBroker, connection: Connection) -> Any:
    """Of queue `default`, fed by pgmq, too."""
    made = dramatiq.actor(broker=broker, actor_name="note", pgmq_queue=ROUTE)(lambda **_: None)
    broker.publish_actors(connection, retire=True)
    return made


@pytest.fixture
def stranger(database: str, connection: Connection) -> Iterator[Connection]:
    """A login that may do nothing but connect."""
    name = f"stranger_{uuid4().hex[:12]}"
    run(connection, f"CREATE ROLE {name} LOGIN PASSWORD 'a stranger'")
    with closing(psycopg2.connect(make_dsn(database, user=name, password="a stranger"))) as conn:
        conn.set_session(autocommit=True)
        yield conn
    run(connection, f"DROP ROLE {name}")


def rings(connect: Connect, send: str) -> bool:
    """Whether something that is sent now rings the bell of queue `default`."""
    bell, ear, sender = Doorbell(), connect(), connect()
    bell.listen(ear, ["default"])
    run(sender, send)
    return trial(bell, ear, sender) == {"default"}


def trial(bell: Doorbell, ear: Connection, sender: Connection) -> set[str]:
    """What rings before a trial that is heard after whatever was rung before."""
    heard, number = set[str](), bell.heard + 1
    bell.try_out(sender)

    def tried() -> bool:
        heard.update(bell.rung(ear))
        return bell.heard == number

    until(tried, "the trial is heard")
    return heard
