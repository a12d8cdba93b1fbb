"""Who sleeps is rung for, and nobody else is, whoever holds whatever lock."""

import pytest

from db.connection import Connection
from messaging.doorbell import Doorbell
from messaging.rest import LONGEST_SECONDS, Rest
from tests.integration.broker_cases import run
from tests.integration.rest_cases import HOLDS, ROUTE, Connect, actor, rings, stranger, trial
from tests.waiting import until

WAYS = pytest.mark.parametrize(
    "send",
    [f"SELECT pgmq.send('{ROUTE}', '{{}}')", "SELECT dramatiq.send('note')", "SELECT dramatiq.ring('{default}')"],
)
__all__ = ["actor", "stranger"]


def rest() -> Rest:
    return Rest(Doorbell())


@WAYS
def test_a_bell_rings_while_somebody_sleeps_and_not_otherwise(connect: Connect, send: str) -> None:
    one, other, first, second = rest(), rest(), connect(), connect()
    assert not rings(connect, send)
    assert one.turn(first, {"default"}, 0) == {"default"}, "it is to be looked at once more"
    assert other.turn(second, {"default", "tea"}, 0) == {"tea"}
    assert (other.standing_by, other.queues) == ({"default"}, {"default", "tea"})
    assert rings(connect, send)
    one.turn(first, set(), 0)
    assert not rings(connect, send), "who stands by has not heard of it yet"
    assert "default" in other.turn(second, {"default", "tea"}, LONGEST_SECONDS)
    assert rings(connect, send)
    other.turn(second, {"tea"}, LONGEST_SECONDS)
    assert not rings(connect, send)


@WAYS
def test_whoever_dies_asleep_is_rung_for_no_more(connect: Connect, connection: Connection, send: str) -> None:
    sleeper = connect()
    rest().turn(sleeper, {"default"}, 0)
    assert rings(connect, send)
    pid = sleeper.info.backend_pid
    sleeper.close()
    until(lambda: not run(connection, "SELECT FROM pg_stat_activity WHERE pid = %s", pid))
    assert not rings(connect, send)


def test_one_who_sleeps_hears_a_message_and_who_stands_by_does_not(connect: Connect) -> None:
    bells, ears, sender = [Doorbell(), Doorbell()], [connect(), connect()], connect()
    rests = [Rest(bell) for bell in bells]
    for bell, ear, each in zip(bells, ears, rests, strict=True):
        bell.listen(ear)
        each.turn(ear, {"default"}, 0)
    run(sender, "SELECT dramatiq.send('note')")
    assert trial(bells[0], ears[0], sender) == {"default"}
    assert trial(bells[1], ears[1], sender) == set()
    rests[0].turn(ears[0], set(), 0)
    run(ears[0], "SELECT dramatiq.pass_on('{default}')")
    assert trial(bells[1], ears[1], sender) == set()
    assert rests[1].turn(ears[1], {"default"}, 0) == {"default"}, "it is passed on"
    rests[0].turn(ears[0], {"default"}, 0)
    run(sender, "SELECT dramatiq.send('note')")
    assert trial(bells[0], ears[0], sender) == set()
    assert trial(bells[1], ears[1], sender) == {"default"}


def test_a_queue_that_is_passed_on_is_looked_at_by_who_stands_by_and_by_nobody_else(connect: Connect) -> None:
    sleeper, standing, busy, conn = rest(), rest(), rest(), connect()
    sleeper.turn(connect(), {"default", "tea"}, 0)
    standing.turn(conn, {"default", "tea"}, 0)
    for each in (standing, busy):
        each.doorbell.passed_on = {"default", "a stranger's word"}
    assert standing.turn(conn, {"default", "tea"}, 0) == {"default"}, "though the sleeper holds its bells"
    assert standing.turn(conn, {"default", "tea"}, 0) == set(), "once"
    assert busy.turn(conn, set(), 0) == set()


def test_what_was_sent_before_somebody_fell_asleep_is_looked_for_when_it_is_committed(connect: Connect) -> None:
    each, sleeper, sender, late = rest(), connect(), connect(), connect()
    for conn in (sender, late):
        run(conn, "BEGIN")
    run(sender, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
    assert each.turn(sleeper, {"default"}, 0) == {"default"}
    run(late, f"SELECT pgmq.send('{ROUTE}', '{{}}')")  # this one rings
    assert [each.turn(sleeper, {"default"}, now) for now in (10, 20, 30)] == [set()] * 3
    run(sender, "COMMIT")
    until(lambda: each.turn(sleeper, {"default"}, each.turn_at) == {"default"})
    assert each.turn(sleeper, {"default"}, each.turn_at) == set()
    run(late, "COMMIT")


def test_who_waits_for_a_senders_end_asks_ever_more_rarely_and_who_waits_for_none_not_at_all(connect: Connect) -> None:
    each, sleeper, sender = rest(), connect(), connect()
    run(sender, "BEGIN")
    run(sender, f"SELECT pgmq.send('{ROUTE}', '{{}}')")
    pauses = [each.seconds for _ in range(20) if each.turn(sleeper, {"default"}, each.turn_at) is not None]
    assert pauses == sorted(pauses)
    assert (pauses[0] < LONGEST_SECONDS / 100, pauses[-1]) == (True, LONGEST_SECONDS)
    now = each.turn_at
    run(sender, "COMMIT")
    assert each.turn(sleeper, {"default"}, now - 0.1) == set(), "it is not due"
    until(lambda: each.turn(sleeper, {"default"}, each.turn_at) == {"default"})
    now = each.turn_at
    each.turn(sleeper, {"tea"}, now)
    assert each.seconds < LONGEST_SECONDS / 100
    until(lambda: each.turn(sleeper, {"tea"}, each.turn_at) == set() and not each.unseen)
    assert each.seconds == LONGEST_SECONDS


@WAYS
@HOLDS
def test_a_stranger_who_holds_the_bells_holds_up_nobody_and_keeps_them_no_longer_than_he_is_there(
    connect: Connect, connection: Connection, stranger: Connection, send: str, lock: str
) -> None:
    bells = [bell for (bell,) in run(connection, "SELECT * FROM dramatiq.bells_of('default')")]
    for bell in bells:
        run(stranger, f"SELECT {lock}(%s)", bell)
    assert rings(connect, send) is not lock.endswith("shared")
    each, sleeper = rest(), connect()
    assert each.turn(sleeper, {"default"}, 0) == set()
    assert (each.asleep, each.queues) == ({}, {"default"}), "which is looked at each second"
    run(stranger, "SELECT pg_advisory_unlock_all()")
    assert not rings(connect, send), "what it could not hold is held no more"
    assert each.turn(sleeper, {"default"}, each.turn_at) == {"default"}
    assert rings(connect, send)
