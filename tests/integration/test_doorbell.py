"""The doorbell hears what rings, and notices when it has gone deaf."""

import time
from collections.abc import Callable
from math import inf

import dramatiq
import pytest
from psycopg2.extensions import quote_ident

from db.connection import Connection
from messaging import consumer
from messaging.broker import PostgresBroker
from messaging.doorbell import Doorbell
from tests.integration.broker_cases import PATIENCE, run
from tests.waiting import until

Connect = Callable[[], Connection]
Work = Callable[..., dramatiq.Worker]


def test_a_bell_hears_the_queues_that_it_listens_for(connection: Connection, connect: Connect) -> None:
    connection.autocommit = True
    bell, other = Doorbell(), connect()
    bell.listen(connection, ["tea", "cakes", "soup"])
    bell.listen(connection, ["tea", "bread"])
    bell.ignore(connection, ["soup", "salt"])
    assert bell.listening == {"tea", "cakes", "bread"}
    run(other, "SELECT dramatiq.notify(queue) FROM unnest('{tea, bread, soup}'::text[]) AS queue")
    heard: set[str] = set()
    while heard != {"tea", "bread"}:
        heard |= bell.rung(connection)


def test_a_bell_that_hears_its_trials_is_not_deaf(connection: Connection, connect: Connect) -> None:
    bell, other = Doorbell(), connect()
    bell.try_out(other)
    assert not bell.turns_out_deaf(0), "it listens for nothing yet"
    bell.listen(connection, ["tea"])
    for number in range(1, 4):
        bell.try_out(other)
        until(lambda: bell.rung(connection) == set() and bell.heard == number)  # noqa: B023 - asked in this round
        assert not bell.turns_out_deaf(0)


def test_a_bell_hears_nothing_in_a_strangers_words(connection: Connection, connect: Connect) -> None:
    bell, other = Doorbell(), connect()
    bell.listen(connection, ["tea"])
    for words in ("", "x", "1.5", "9" * 5_000, "x" * 7_999):
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", (bell.own_channel, words))
    run(other, "SELECT dramatiq.notify('tea')")
    heard: set[str] = set()
    while not heard:
        heard = bell.rung(connection)
    assert (heard, bell.heard) == ({"tea"}, 0)


def test_a_bell_whose_session_was_reset_is_found_deaf_once_and_hears_again(
    connection: Connection, connect: Connect
) -> None:
    bell, other = Doorbell(), connect()
    bell.listen(connection, ["tea"])
    for newly in (True, False):
        run(connection, "UNLISTEN *")  # as DISCARD ALL does, with which poolers reset a session
        bell.try_out(other)
        assert not bell.turns_out_deaf(60), "it may hear yet"
        bell.rung(connection)
        assert bell.turns_out_deaf(0) is newly
        assert bell.deaf
        bell.listen(connection, ["tea"])
    bell.try_out(other)
    until(lambda: bell.rung(connection) == set() and not bell.deaf)
    assert not bell.turns_out_deaf(0)


def test_a_later_trial_does_not_hide_that_an_earlier_one_was_not_heard(
    connection: Connection, connect: Connect
) -> None:
    """Every consumer of a process rings, oftener than a trial may take."""
    bell, other = Doorbell(), connect()
    bell.listen(connection, ["tea"])
    run(connection, "UNLISTEN *")
    bell.try_out(other)
    patience = 0.2
    rung_at = time.monotonic()
    until(lambda: time.monotonic() > rung_at + patience)
    bell.try_out(other)
    assert bell.turns_out_deaf(patience)


def test_another_connection_is_not_judged_by_the_trials_of_the_last(connection: Connection, connect: Connect) -> None:
    bell = Doorbell()
    bell.listen(connection, ["tea"])
    run(connection, f"UNLISTEN {quote_ident(bell.own_channel, connection)}")
    bell.try_out(connect())
    bell.disconnected()
    assert not bell.turns_out_deaf(0)


def test_a_process_tries_its_bell_out_now_and_then_however_often_it_audits(
    broker: PostgresBroker, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "AUDIT_SECONDS", 0.0)
    monkeypatch.setattr(consumer, "AUDIT_SHARE", inf)
    bell, exchanges = broker.pulse.doorbell, 20
    stir = dramatiq.actor(broker=broker, actor_name="stir")(lambda: None)
    work()
    until(lambda: bell.heard > 0)
    for _ in range(exchanges):
        stir.send()
        broker.join("default", timeout=PATIENCE)
    assert next(bell.numbers) <= exchanges / 2
    bell.disconnected()
    assert bell.try_at == 0, "another connection is tried at once"
