"""The bridge from pgmq under fire: many senders, rolled back transactions, and workers that are killed at random."""

import random
import threading
from functools import partial

import psycopg2
import pytest

from tests.faults.crew import Crew, Office
from tests.waiting import until

SENDERS = 8
TRANSACTIONS = 60  # of each sender
MESSAGES = 5  # of each transaction
SEND = "SELECT pgmq.send('analytics_queue', %s::jsonb)"

MALFORMED = {
    "[1]": "is array, not a JSON object",
    "7": "is number, not a JSON object",
    "null": "is null, not a JSON object",
    '"text"': "is string, not a JSON object",
    '{"number": 1, "unknown": 2}': "unexpected keyword argument 'unknown'",
    "{}": "missing 1 required positional argument: 'number'",
    '{"number": 1, "unknown": "' + "x" * 1_000_000 + '"}': "unexpected keyword argument 'unknown'",
    '["\\\\u0000"]': "is array, not a JSON object",
}


def send_in_transactions(office: Office, sender: int, committed: set[int]) -> None:
    """Send numbers from 8 connections at once; a third of the transactions is rolled back."""
    conn = psycopg2.connect(office.url)
    choose = random.Random(sender)
    for transaction in range(TRANSACTIONS):
        first = (sender * TRANSACTIONS + transaction) * MESSAGES
        numbers = range(first, first + MESSAGES)
        with conn.cursor() as cursor:
            for number in numbers:
                cursor.execute(SEND, (f'{{"number": {number}}}',))
        if choose.random() < 1 / 3:
            conn.rollback()
        else:
            conn.commit()
            committed.update(numbers)
    conn.close()


def has_run(office: Office, count: int) -> bool:
    return len(office.effects()) > count


def test_every_committed_message_is_moved_once_and_run_whoever_dies(
    office: Office, crew: Crew, chance: random.Random
) -> None:
    committed: list[set[int]] = [set() for _ in range(SENDERS)]
    senders = [threading.Thread(target=send_in_transactions, args=(office, n, committed[n])) for n in range(SENDERS)]
    workers = [crew.hire(), crew.hire()]
    for thread in senders:
        thread.start()
    for deaths in range(1, 5):
        until(partial(has_run, office, 150 * deaths - chance.randrange(150)), "the bridge is in full swing")
        workers.pop(chance.randrange(2)).kill()
        workers.append(crew.hire())
    for thread in senders:
        thread.join()
    sent = set().union(*committed)
    until(lambda: office.states() == {"done": len(sent)}, "all committed messages are done")

    deeds = office.deeds()
    assert set(deeds) == {str(number) for number in sent}, "each ran, and nothing that was rolled back"
    moved = office.query("SELECT count(*), count(DISTINCT pgmq_msg_id) FROM dramatiq.queue")
    assert moved == [(len(sent), len(sent))]
    assert office.query("SELECT count(*) FROM pgmq.q_analytics_queue") == [(0,)]
    assert office.query("SELECT count(*) FROM pgmq.a_analytics_queue") == [(len(sent),)]
    print(f"{len(sent)} messages, 4 workers killed, {deeds.total() - len(sent)} ran again")


def test_a_delayed_pgmq_message_waits_for_its_time(office: Office, crew: Crew) -> None:
    crew.hire()
    office.query("SELECT pgmq.send('analytics_queue', '{\"number\": 1}', 2)")
    [(sent_at,)] = office.query("SELECT enqueued_at FROM pgmq.q_analytics_queue")
    until(lambda: office.states() == {"done": 1}, "it ran")
    [(waited,)] = office.query("SELECT extract(epoch FROM mtime - %s)::float FROM dramatiq.queue", sent_at)
    print(f"ran {waited:.2f} s after it was sent with a delay of 2 s")
    assert waited >= 2


def test_malformed_messages_become_dead_letters_with_a_reason_and_the_queue_flows_on(
    office: Office, crew: Crew
) -> None:
    for body in MALFORMED:
        office.query(SEND, body)
    office.query(SEND, '{"number": 1}')
    crew.hire()
    until(lambda: office.states() == {"done": 1, "rejected": len(MALFORMED)}, "each is a dead letter")
    reasons = office.query("SELECT pgmq_msg_id, error, pgmq_queue FROM dramatiq.dead_letter ORDER BY pgmq_msg_id")
    for (_, error, pgmq_queue), (body, reason) in zip(reasons, MALFORMED.items(), strict=True):
        assert reason in error, body[:50]
        assert pgmq_queue == "analytics_queue"
    assert office.deeds() == {"1": 1}


def test_a_nul_is_refused_where_it_is_sent(office: Office) -> None:
    with pytest.raises(psycopg2.errors.UntranslatableCharacter):
        office.query(SEND, '{"number": "\\u0000"}')


def test_a_route_to_a_queue_that_does_not_exist_leaves_the_worker_in_peace(office: Office, crew: Crew) -> None:
    office.query("DROP VIEW pgmq.analytics_queue; SELECT pgmq.drop_queue('analytics_queue')")
    office.send("receive", 1, queue="bridged")
    crew.hire()
    until(lambda: office.states() == {"done": 1}, "its other messages run")
    office.query("SELECT pgmq.create('analytics_queue')")
    office.query(SEND, '{"number": 2}')
    until(lambda: office.deeds() == {"1": 1, "2": 1}, "and once the queue exists, it is served")
