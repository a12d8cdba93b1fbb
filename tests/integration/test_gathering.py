"""What threads send at the same time is stored together, and what befalls one of them befalls no other."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any

import dramatiq
import psycopg2
import pytest
from dramatiq.middleware import Interrupt
from dramatiq.middleware.threading import raise_thread_exception

from db.connection import Connection
from errors import InvalidMessage
from messaging import intake
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import blocked, run, states
from tests.waiting import until

Send = Callable[..., Future[Any]]
THREADS = 16
REFUSAL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'this is refused here' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON dramatiq.queue FOR EACH ROW
WHEN (new.message -> 'args' ->> 0 = 'unwelcome') EXECUTE FUNCTION refuse();
"""


@pytest.fixture(autouse=True)
def built_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is: of what was built before, it is looked first whether it was done."""
    monkeypatch.setattr(intake, "JUST_BUILT", 600_000)


@pytest.fixture
def note(broker: PostgresBroker) -> Any:
    @dramatiq.actor(broker=broker)
    def note(value: Any) -> None: ...

    return note


@pytest.fixture
def look(connect: Callable[[], Connection]) -> Connection:
    return connect()


@pytest.fixture
def send() -> Iterator[Send]:
    """Runs a call in a thread of its own."""
    with ThreadPoolExecutor(THREADS) as threads:
        yield threads.submit


@contextmanager
def held(connection: Connection) -> Iterator[None]:
    """Nobody can store anything in this block."""
    run(connection, "BEGIN; LOCK TABLE dramatiq.queue IN SHARE MODE")
    yield
    run(connection, "COMMIT")


def wait_for(broker: PostgresBroker, look: Connection, count: int) -> None:
    """Wait until one thread stores, and so many wait behind it."""
    until(lambda: blocked(look) == 1 and len(broker.intake.gathering.waiting) == count, f"{count} threads wait")


def test_what_waits_while_one_thread_stores_is_stored_in_one_transaction(
    broker: PostgresBroker, note: Any, send: Send, connection: Connection, look: Connection
) -> None:
    with held(connection):
        sent = [send(note.send, number) for number in range(THREADS)]
        wait_for(broker, look, THREADS - 1)
    assert {each.result().message_id for each in sent} == {
        each for (each,) in run(look, "SELECT message_id::text FROM dramatiq.queue")
    }
    assert run(look, "SELECT count(DISTINCT xmin::text) FROM dramatiq.queue") == [(2,)]


@pytest.mark.parametrize("place", [0, 1, 5])
@pytest.mark.parametrize(("refusal", "error"), [("22023", InvalidMessage), ("P0001", psycopg2.errors.RaiseException)])
def test_a_message_that_the_server_refuses_is_refused_alone(
    broker: PostgresBroker,
    note: Any,
    send: Send,
    connection: Connection,
    look: Connection,
    *,
    place: int,
    refusal: str,
    error: type[Exception],
) -> None:
    run(connection, REFUSAL.format(refusal))
    sent = []
    with held(connection):
        for number in range(8):
            sent.append(send(note.send, "unwelcome" if number == place else "welcome"))
            wait_for(broker, look, number)
    assert [type(each.exception()) for each in sent if each.exception()] == [error]
    assert sent[place].exception() is not None
    assert states(look) == {"queued": 7}


def test_a_message_that_exists_starts_over_and_its_neighbours_are_new(
    broker: PostgresBroker, note: Any, send: Send, connection: Connection, look: Connection
) -> None:
    known = note.send("known")
    run(connection, "UPDATE dramatiq.queue SET state = 'rejected'")

    with held(connection):
        sent = [send(note.send, "first")]
        wait_for(broker, look, 0)
        sent += [send(broker.enqueue, known), send(note.send, "last")]
        wait_for(broker, look, 2)
    assert [each.exception() for each in sent] == [None] * 3
    assert states(look) == {"queued": 3}


@pytest.mark.parametrize("place", [0, 1, 4])
def test_a_thread_whose_time_is_over_takes_no_other_threads_message_along(
    broker: PostgresBroker, note: Any, send: Send, connection: Connection, look: Connection, *, place: int
) -> None:
    """The one that stores, the one that would store next, and one of the others."""
    sent, idents = [], []

    def note_thread_and_send() -> None:
        idents.append(get_ident())
        note.send("in time")

    with held(connection):
        for number in range(6):
            sent.append(send(note_thread_and_send))
            wait_for(broker, look, number)
        raise_thread_exception(idents[place], Interrupt)
    errors = [each.exception() for each in sent]
    assert isinstance(errors.pop(place), Interrupt)
    assert errors == [None] * 5
    note.send("and who comes later is stored, too")
    assert states(look)["queued"] >= 6


def test_a_process_that_is_forked_while_a_thread_stores_can_send(
    broker: PostgresBroker, note: Any, send: Send, connection: Connection, look: Connection
) -> None:
    with held(connection):
        sent = send(note.send, "of the parent")
        wait_for(broker, look, 0)
        child = multiprocessing.get_context("fork").Process(target=partial(note.send, "of the child"))
        child.start()
        until(lambda: blocked(look) == 2, "the child stores, too")
    child.join()
    assert child.exitcode == 0
    sent.result()
    assert states(look) == {"queued": 2}
