"""Whoever waits for a queue waits for what is still in pgmq, too, and for what is on its way from there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import dramatiq
import pytest

from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, blocked, run
from tests.waiting import until

Connect = Callable[[], Connection]
Work = Callable[..., dramatiq.Worker]


def test_join_waits_for_what_is_still_in_pgmq(broker: PostgresBroker, work: Work, connection: Connection) -> None:
    seen: list[int] = []

    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(number: int) -> None:
        seen.append(number)

    run(connection, "SELECT pgmq.send('analytics_queue', '{\"number\": 1}')")
    with pytest.raises(dramatiq.errors.QueueJoinTimeout):
        broker.join("analytics", timeout=100)
    work()
    broker.join("analytics", timeout=PATIENCE)
    assert seen == [1]


def test_join_sees_a_message_that_is_moved_while_it_looks(broker: PostgresBroker, connect: Connect) -> None:
    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(number: int) -> None:
        del number

    mover, connection = connect(), connect()
    run(connection, "SELECT pgmq.send('analytics_queue', '{\"number\": 1}')")
    mover.autocommit = False
    run(mover, "LOCK TABLE pgmq.q_analytics_queue IN ACCESS EXCLUSIVE MODE")
    with ThreadPoolExecutor() as pool:
        joined = pool.submit(broker.join, "analytics", timeout=1000)
        until(lambda: blocked(connection), "join looks into pgmq", seconds=5)
        run(mover, "DELETE FROM pgmq.q_analytics_queue")
        message = record.message(1)
        insert = "INSERT INTO dramatiq.queue (message_id, queue_name, state, message) VALUES (%s, %s, 'queued', %s)"
        run(mover, insert, message.message_id, "analytics", message.encode().decode())
        mover.commit()
        with pytest.raises(dramatiq.errors.QueueJoinTimeout):
            joined.result()


def test_join_sees_what_a_run_sends_to_pgmq_and_ends_while_it_looks(broker: PostgresBroker, connect: Connect) -> None:
    @dramatiq.actor(broker=broker, queue_name="analytics", pgmq_queue="analytics_queue")
    def record(number: int) -> None:
        del number

    runner, connection = connect(), connect()
    record.send(1)
    runner.autocommit = False
    run(runner, "LOCK TABLE dramatiq.queue IN ACCESS EXCLUSIVE MODE")
    with ThreadPoolExecutor() as pool:
        joined = pool.submit(broker.join, "analytics", timeout=1000)
        until(lambda: blocked(connection), "join has looked into pgmq", seconds=5)
        run(runner, "SELECT pgmq.send('analytics_queue', '{\"number\": 2}')")
        run(runner, "DELETE FROM dramatiq.queue")
        runner.commit()
        with pytest.raises(dramatiq.errors.QueueJoinTimeout):
            joined.result()
