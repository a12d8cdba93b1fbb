"""Nobody waits for a line, neither for a sender's open transaction nor for another worker; and nothing stays behind."""

from collections.abc import Callable
from random import Random
from typing import Any

import dramatiq
import pytest

from db import queries
from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import run, states
from tests.integration.line_cases import QUEUE, Hands

STEPS = 400
MOST = {"bake": 1, "bake_two": 2}
TURNS = """
    SELECT line, message ->> 'actor_name', count(*) FROM dramatiq.queue
    WHERE line IS NOT NULL AND state IN ('queued', 'consumed') AND waits_for IS DISTINCT FROM 'its turn'
    GROUP BY 1, 2
"""


@pytest.fixture
def hands(broker: PostgresBroker, connection: Connection) -> Hands:
    for name, most in MOST.items():
        dramatiq.actor(broker=broker, actor_name=name, queue_name=QUEUE, key_limit=most)(lambda loaf: loaf)
    broker.publish_actors(connection)
    run(connection, "SET lock_timeout = '1s'")  # who waits for another here fails
    return Hands(connection)


@pytest.fixture
def transaction(connect: Callable[[], Connection]) -> Callable[[], Connection]:
    """Begins a transaction that stays open."""

    def begin() -> Connection:
        conn = connect()
        conn.autocommit = False
        run(conn, "SET lock_timeout = '1s'")
        return conn

    return begin


def test_a_senders_open_transaction_holds_up_no_worker_and_no_other_sender(
    hands: Hands, transaction: Callable[[], Connection]
) -> None:
    hands.send("1")
    assert hands.claim() == ["1"]
    sender = transaction()
    hands.send("uncommitted", connection=sender)
    assert hands.claim(done=["1"]) == []
    hands.send("2")
    assert hands.claim() == ["2"]
    sender.commit()
    assert hands.claim() == []
    assert hands.claim(done=["2"]) == ["uncommitted"]


def test_what_commits_when_all_before_it_have_ended_is_met_at_the_next_look(
    hands: Hands, transaction: Callable[[], Connection]
) -> None:
    hands.send("1")
    assert hands.claim() == ["1"]
    sender = transaction()
    hands.send("2", connection=sender)
    assert hands.claim(done=["1"]) == []
    assert queries.broker.next_due(hands.connection, queue=QUEUE, pgmq_queue=None) is None
    sender.commit()
    assert queries.broker.next_due(hands.connection, queue=QUEUE, pgmq_queue=None) <= 0.01
    assert list(queries.broker.news(hands.connection, worker=hands.worker, queues=[QUEUE])) == [(QUEUE, 0.0)]
    assert hands.claim() == ["2"]


def test_two_exchanges_at_once_wait_for_each_other_in_no_order(
    hands: Hands, transaction: Callable[[], Connection]
) -> None:
    hands.send("1", "2")
    hands.send("a", "b", key="wheat")
    assert hands.claim() == ["1", "a"]
    other = transaction()
    assert hands.claim(done=["1"], connection=other) == ["2"]
    assert hands.claim(done=["a"]) == []
    assert queries.broker.next_due(hands.connection, queue=QUEUE, pgmq_queue=None) <= 0.01
    other.commit()
    assert hands.claim() == ["b"]


def test_two_exchanges_at_once_call_no_more_up_than_may_run(
    hands: Hands, transaction: Callable[[], Connection]
) -> None:
    other = transaction()
    hands.send("1")
    assert hands.claim(connection=other) == ["1"]
    hands.send("2")
    assert hands.claim() == []
    other.commit()
    assert hands.claim() == []
    assert hands.claim(done=["1"]) == ["2"]


def test_none_goes_before_one_that_somebody_changes_just_now(
    hands: Hands, transaction: Callable[[], Connection]
) -> None:
    hands.send("1", "2", "3")
    assert hands.claim() == ["1"]
    person = transaction()
    run(person, "SELECT FROM dramatiq.queue WHERE message_id = %s FOR UPDATE", hands.ids["2"])
    assert hands.claim(done=["1"]) == []
    person.rollback()
    run(hands.connection, "UPDATE dramatiq.changed_line SET at = now()")
    assert hands.claim() == ["2"]


class Walk:
    """Does at random what may be done to messages of three lines, and sees at each step that no line runs too many."""

    def __init__(self, hands: Hands, random: Random, transaction: Callable[[], Connection]) -> None:
        self.hands = hands
        self.random = random
        self.begin = transaction
        self.sender: Connection | None = None
        self.actors: dict[str, str] = {}  # by loaf
        self.lines: dict[str, list[str]] = {}  # what was sent one after another, and never sent back to work
        self.first_claims: list[str] = []

    def step(self) -> None:
        steps: list[Callable[[], Any]] = [
            *(self.send, self.send, self.claim, self.claim, self.claim, self.open, self.close, self.overlap),
            *(self.finish, self.retry, self.reject, self.requeue, self.cancel, self.redrive, self.rescue, self.hasten),
        ]
        self.random.choice(steps)()
        for line, actor, turns in run(self.hands.connection, TURNS):
            assert turns <= MOST[actor], line

    def send(self) -> None:
        line, actor = self.random.choice([("rye", "bake"), ("wheat", "bake"), ("oats", "bake_two")])
        loaf = f"{line} {len(self.actors)}"
        self.actors[loaf] = actor
        self.hands.send(loaf, key=line, actor=actor)
        if actor == "bake":
            self.lines.setdefault(line, []).append(loaf)

    def open(self) -> None:
        """Send in a transaction that stays open; when it commits, what it sent stands where it was sent."""
        self.sender = self.sender or self.begin()
        loaf = f"late {len(self.actors)}"
        self.actors[loaf] = "bake"
        self.hands.send(loaf, key=self.random.choice(["rye", "wheat"]), connection=self.sender)

    def close(self) -> None:
        if self.sender:
            self.random.choice([self.sender.commit, self.sender.commit, self.sender.rollback])()
            self.sender = None

    def claim(self, connection: Connection | None = None) -> None:
        done = self.random.sample(sorted(self.hands.held), min(len(self.hands.held), self.random.randint(0, 2)))
        self._note(self.hands.claim(self.random.randint(0, 3), done=done, connection=connection))

    def overlap(self) -> None:
        """Two workers' exchanges at once."""
        other = self.begin()
        self.claim(other)
        self._note(self.hands.claim(self.random.randint(0, 3)))
        other.commit()
        other.close()

    def finish(self) -> None:
        self._settle("finish")

    def retry(self) -> None:
        self._settle("retry", options=None, error="not yet", delay=self.random.choice([0, 3_600_000]))

    def reject(self) -> None:
        self._settle("reject", options=None, error="burnt")

    def requeue(self) -> None:
        if self.hands.held:
            queries.broker.requeue(self.hands.connection, **self.hands.fences(self._any_held()))

    def rescue(self) -> None:
        if self.hands.held:
            most = self.random.choice([0, 10])
            queries.broker.rescue_lost(self.hands.connection, **self.hands.fences(self._any_held()), most_rescues=most)

    def cancel(self) -> None:
        if self.hands.ids:
            chosen = self.hands.ids[self.random.choice(sorted(self.hands.ids))]
            run(self.hands.connection, "SELECT dramatiq.cancel(%s::uuid[], 'me', 'why')", [chosen])

    def redrive(self) -> None:
        ended = run(
            self.hands.connection,
            "SELECT message #>> '{kwargs,loaf}', message_id::text FROM dramatiq.queue "
            "WHERE state IN ('rejected', 'cancelled') ORDER BY position",
        )
        if ended:
            loaf, message_id = self.random.choice(ended)
            queries.messages.redrive(self.hands.connection, ids=[message_id])
            self._is_out_of_order(loaf)

    def hasten(self) -> None:
        run(self.hands.connection, "UPDATE dramatiq.queue SET available_at = now() WHERE delayed")

    def end(self) -> None:
        """Let everything run to its end."""
        self.close()
        while True:
            self.hasten()
            run(self.hands.connection, "UPDATE dramatiq.changed_line SET at = now()")
            held = list(self.hands.held)
            claimed = self.hands.claim(10, done=held)
            self._note(claimed)
            if not held and not claimed:
                return

    def in_order(self) -> bool:
        """Whether each line's were claimed in the order in which they were sent."""
        return all(
            [loaf for loaf in self.first_claims if loaf in sent] == [loaf for loaf in sent if loaf in self.first_claims]
            for sent in self.lines.values()
        )

    def _settle(self, how: str, **arguments: Any) -> None:
        if self.hands.held:
            getattr(queries.broker, how)(self.hands.connection, **self.hands.fence(self._any_held()), **arguments)

    def _any_held(self) -> str:
        return self.random.choice(sorted(self.hands.held))

    def _is_out_of_order(self, loaf: str) -> None:
        for sent in self.lines.values():
            if loaf in sent:
                sent.remove(loaf)

    def _note(self, claimed: list[str]) -> None:
        self.first_claims += [loaf for loaf in claimed if loaf not in self.first_claims]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_no_line_runs_too_many_or_out_of_order_and_none_stands_still(
    hands: Hands, transaction: Callable[[], Connection], seed: int
) -> None:
    walk = Walk(hands, Random(seed), transaction)
    for _ in range(STEPS):
        walk.step()
    walk.end()
    assert states(hands.connection).keys() <= {"done", "rejected", "cancelled"}
    assert run(hands.connection, "SELECT count(*) FROM dramatiq.changed_line") == [(0,)]
    assert walk.in_order()
