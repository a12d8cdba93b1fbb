"""With MESSAGE_KEYS, whoever dies or freezes on the way: nothing is lost or doubled, and no address stays readable."""

import os
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from db.connection import Connection
from tests.faults.crew import Crew, Office, ProcessGroup
from tests.waiting import WAITS_HERE, until

OLD, NEW = (b64encode(bytes(range(first, first + 32))).decode() for first in (0, 32))
IMPATIENT = "&options=-c%20idle_in_transaction_session_timeout%3D2s"  # of a frozen process's transaction; ours is 60 s
SENT, BRIDGED, DEAD = ([f"{way}-{number}@example.com" for number in range(5)] for way in ("sent", "bridged", "dead"))
SEAL_ALL = "from broker import broker; from db.database import transaction; broker.vault.seal_all(transaction)"
STOP = """
    CREATE OR REPLACE FUNCTION public.stop_here() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(7);
        RETURN coalesce(NEW, OLD);
    END $$;
    CREATE TRIGGER stop_here BEFORE {} FOR EACH ROW {} EXECUTE FUNCTION public.stop_here()
"""
PLACES = {
    "between claim and sealing": (
        SENT,
        "UPDATE ON dramatiq.queue",
        "WHEN (NEW.message ? 'sealed' AND NOT OLD.message ? 'sealed')",
    ),
    "between sealing and removal": (BRIDGED, "DELETE ON pgmq.q_email_queue", ""),
    "between removal and archive": (BRIDGED, "INSERT ON pgmq.a_email_queue", ""),
    "between archive and queue": (BRIDGED, "INSERT ON dramatiq.queue", "WHEN (NEW.pgmq_msg_id IS NOT NULL)"),
}
ROTATION = "UPDATE ON dramatiq.queue", "WHEN (NEW.message ->> 'sealed' <> OLD.message ->> 'sealed')"
STANDING = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND {WAITS_HERE}"
TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema IN ('dramatiq', 'pgmq') AND table_type = 'BASE TABLE'
"""
HOLDING = """SELECT held::text FROM "{}"."{}" AS held WHERE held::text LIKE '%%@example%%'"""
KEYS = "SELECT DISTINCT left(message ->> 'sealed', 8) FROM dramatiq.queue"
SETTLED = {"done": 10, "rejected": 5}


@pytest.fixture
def barrier(office: Office) -> Iterator[Connection]:
    """Whoever comes to the place where it stands waits until this session unlocks it."""
    conn = psycopg2.connect(office.url)
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7)")
    yield conn
    conn.close()


def raise_barrier(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock_all()")


def send(office: Office, *ways: list[str]) -> None:
    """Send these addresses, each way as it goes: plain as SQL sends, by pgmq, or to an actor that fails."""
    if SENT in ways:
        office.send_many("hear", [(address,) for address in SENT], queue="heard")
    if DEAD in ways:
        office.send_many("break_on", [(address,) for address in DEAD])
    for address in BRIDGED if BRIDGED in ways else []:
        office.query("SELECT pgmq.send('email_queue', jsonb_build_object('address', %s))", address)


def readable(office: Office) -> list[Any]:
    return [row for table in office.query(TABLES) for row in office.query(HOLDING.format(*table))]


def rotation(office: Office, keys: str) -> ProcessGroup:
    environment = os.environ | {"DATABASE_URL": office.url + IMPATIENT, "MESSAGE_KEYS": keys}
    with office.log.open("ab") as log:
        return ProcessGroup(["-c", SEAL_ALL], environment, log)


@pytest.mark.parametrize("fate", [ProcessGroup.kill, ProcessGroup.freeze], ids=["killed", "frozen"])
@pytest.mark.parametrize("place", PLACES)
def test_a_worker_that_ends_on_the_way_leaves_all_to_one_that_encrypts_it(
    office: Office, crew: Crew, barrier: Connection, place: str, fate: Callable[[ProcessGroup], None]
) -> None:
    coming, *where = PLACES[place]
    office.query(STOP.format(*where))
    send(office, coming)
    victim = crew.hire(threads=2, MESSAGE_KEYS=OLD, DATABASE_URL=office.url + IMPATIENT)
    until(lambda: office.query(STANDING), "the victim is there")
    fate(victim)
    raise_barrier(barrier)
    send(office, DEAD, SENT if coming is BRIDGED else BRIDGED)
    other = crew.hire(threads=2, MESSAGE_KEYS=OLD)
    until(lambda: office.states() == SETTLED, "another does everything", 30)
    if fate is ProcessGroup.freeze:
        victim.resume()
        other.kill()
    office.send("count", 1)
    until(lambda: office.states() == SETTLED | {"done": 11}, "who is left goes on")

    assert office.deeds() == Counter({**dict.fromkeys([*SENT, *BRIDGED, "1"], 1), "broke": 10})
    assert readable(office) == []
    assert office.query("SELECT message FROM pgmq.a_email_queue") == [({},)] * 5


@pytest.mark.parametrize("fate", [ProcessGroup.kill, ProcessGroup.freeze], ids=["killed", "frozen"])
def test_a_rotation_that_ends_midway_is_done_by_the_next_beside_workers(
    office: Office, crew: Crew, barrier: Connection, fate: Callable[[ProcessGroup], None]
) -> None:
    send(office, SENT, BRIDGED, DEAD)
    assert rotation(office, OLD).process.wait(timeout=20) == 0
    [(old,)] = office.query(KEYS)
    office.query(STOP.format(*ROTATION))
    victim = rotation(office, f"{NEW},{OLD}")
    until(lambda: office.query(STANDING), "the rotation has begun")
    fate(victim)
    raise_barrier(barrier)
    crew.hire(threads=2, MESSAGE_KEYS=f"{NEW},{OLD}")
    until(lambda: office.states() == SETTLED, "workers go on", 30)
    victim.kill()
    assert office.query(KEYS + " WHERE message ->> 'sealed' LIKE %s || '%%'", old) == [(old,)]

    assert rotation(office, f"{NEW},{OLD}").process.wait(timeout=20) == 0
    [(new,)] = office.query(KEYS)
    assert new != old
    crew.dismiss()
    crew.hire(threads=2, MESSAGE_KEYS=NEW)
    office.query("SELECT dramatiq.redrive(array_agg(message_id)) FROM dramatiq.dead_letter")
    until(lambda: office.deeds()["broke"] == 20 and office.states() == SETTLED, "the new key alone opens everything")
    assert office.deeds() == Counter({**dict.fromkeys([*SENT, *BRIDGED], 1), "broke": 20})
    assert readable(office) == []
