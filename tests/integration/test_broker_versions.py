"""Two versions of an application beside each other: each worker runs what it can and leaves the rest to the other."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import dramatiq
import pytest
from click.testing import CliRunner

from checks import processes
from commands.messages import dead
from db.connection import Connection
from messaging.broker import PostgresBroker
from tests.integration.broker_cases import PATIENCE, message_with, run, states
from tests.waiting import until

HEAD = 25_000  # more than are set aside at once
ASIDE = "SELECT waits_for, count(*) FROM dramatiq.queue WHERE waits_for IS NOT NULL GROUP BY 1"


class Version:
    """One version of an application: a broker of its own on the shared database, and what its actors were given."""

    def __init__(self, broker: PostgresBroker) -> None:
        self.broker = broker
        self.seen: list[Any] = []

    def declare(self, name: str, function: Callable[..., Any] | None = None, **options: Any) -> None:
        dramatiq.actor(broker=self.broker, actor_name=name, **options)(function or self.seen.append)

    def take_loaf(self, loaf: str) -> None:
        self.seen.append(loaf)

    def take_buttered(self, loaf: str, butter: bool = False) -> None:
        self.seen.append((loaf, butter))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        worker = dramatiq.Worker(self.broker, worker_timeout=100, worker_threads=2)
        worker.start()
        yield
        worker.stop()


@pytest.fixture
def older(broker: PostgresBroker) -> Version:
    return Version(broker)


@pytest.fixture
def newer(broker: PostgresBroker) -> Iterator[Version]:
    another = PostgresBroker(broker.pool)
    with closing(another):
        yield Version(another)


def test_a_worker_leaves_what_it_does_not_know_to_one_that_does(
    older: Version, newer: Version, connection: Connection
) -> None:
    older.declare("bake")
    newer.declare("bake")
    newer.declare("ice")
    sent = [message_with(actor_name=name, args=(f"{name} {n}",)) for n in range(20) for name in ("ice", "bake")]
    older.broker.enqueue_many(sent)
    with older.at_work():
        until(lambda: len(older.seen) == 20 and run(connection, ASIDE) == [("ice", 20)])
        with newer.at_work():
            older.broker.enqueue_many([message_with(actor_name="ice", args=(f"ice {n}",)) for n in range(20, 60)])
            newer.broker.join("default", timeout=PATIENCE)
    assert states(connection) == {"done": 80}


def test_a_wall_of_unknown_messages_holds_up_no_known_one(
    older: Version, newer: Version, connection: Connection
) -> None:
    older.declare("bake")
    newer.declare("ice")
    run(
        connection,
        "INSERT INTO dramatiq.queue (message_id, state, priority, message) SELECT id, 'queued', 5, jsonb_build_object("
        "'message_id', id, 'queue_name', 'default', 'actor_name', 'ice', 'args', jsonb_build_array(n), 'kwargs', "
        "'{}'::jsonb, 'options', '{}'::jsonb, 'message_timestamp', 1) "
        "FROM generate_series(1, %s) n, LATERAL (SELECT gen_random_uuid() AS id WHERE n > 0) AS made",
        HEAD,
    )
    older.broker.enqueue(message_with(actor_name="bake", args=("known",)))
    with older.at_work():
        until(lambda: older.seen == ["known"])
    assert run(connection, ASIDE) == [("ice", HEAD)]
    assert run(connection, "SELECT max(attempt) < 20 FROM dramatiq.queue WHERE waits_for IS NOT NULL") == [(True,)]
    with newer.at_work():
        until(lambda: len(newer.seen) > 600)
    assert set(newer.seen[:100]) >= set(range(1, 91)), "in their order, but for what threads do at once"


def test_arguments_that_only_another_version_takes_are_left_to_it(
    older: Version, newer: Version, connection: Connection
) -> None:
    older.declare("bake", older.take_loaf)
    newer.declare("bake", newer.take_buttered)
    newer.broker.publish_actors(connection, retire=True)
    with older.at_work():
        run(connection, 'SELECT dramatiq.send(\'bake\', \'{"loaf": "rye", "butter": true}\')')
        older.broker.enqueue(message_with(actor_name="bake", args=("rye", False)))
        older.broker.enqueue(message_with(actor_name="bake", args=("plain",)))
        until(lambda: older.seen == ["plain"] and run(connection, ASIDE) == [("bake(loaf, butter=)", 2)])
        with newer.at_work():
            newer.broker.join("default", timeout=PATIENCE)
    assert sorted(newer.seen) == [("rye", False), ("rye", True)]


def test_what_waits_for_a_signature_goes_to_a_later_one_that_takes_it(
    older: Version, newer: Version, connection: Connection
) -> None:
    newer.declare("bake", lambda loaf, butter, salt=1: newer.seen.append((loaf, butter, salt)))
    bodies = [
        message_with(actor_name="bake", args=args, kwargs=kwargs)
        for args, kwargs in (
            (("rye", 1), {}),
            ((), {"loaf": "rye", "butter": 2}),
            (("rye",), {}),
            ((), {"loaf": "rye", "cream": 1}),
        )
    ]
    older.broker.enqueue_many(bodies)
    run(connection, "UPDATE dramatiq.queue SET waits_for = 'bake(loaf, butter=, cream=)'")
    newer.broker.publish_actors(connection, retire=True)
    assert sorted(run(connection, ASIDE)) == [("bake(loaf, butter, salt=)", 2), ("bake(loaf, butter=, cream=)", 2)]
    with newer.at_work():
        until(lambda: sorted(newer.seen) == [("rye", 1, 1), ("rye", 2, 1)])


def test_what_no_version_can_be_called_with_fails_at_once(older: Version, connection: Connection) -> None:
    older.declare("bake", older.take_loaf)
    older.broker.publish_actors(connection, retire=True)
    older.broker.enqueue(message_with(actor_name="bake", kwargs={"bread": 1}))
    with older.at_work():
        until(lambda: states(connection) == {"rejected": 1})


def test_a_process_that_starts_adds_to_the_contract_and_changes_nothing_of_it(
    older: Version, newer: Version, connection: Connection
) -> None:
    for version in (older, newer):
        version.declare("stay", version.take_buttered if version is newer else version.take_loaf)
    older.declare("old", queue_name="analytics", pgmq_queue="analytics_queue")
    newer.declare("new", queue_name="analytics", pgmq_queue="analytics_queue")
    older.broker.publish_actors(connection, retire=True)
    newer.broker.publish_actors(connection, retire=True)
    older.declare("fresh")
    contract = "SELECT name, accepted, pgmq_queue FROM dramatiq.actor ORDER BY name"
    with older.at_work():
        until(lambda: run(connection, "SELECT id FROM dramatiq.worker"))
        run(connection, "SELECT pgmq.send('analytics_queue', '{\"object\": 1}')")
        older.broker.enqueue(message_with(actor_name="fresh", args=(1,)))
        until(lambda: older.seen == [1])
        assert run(connection, contract) == [
            ("fresh", [], None),
            ("new", [], "analytics_queue"),
            ("stay", ["loaf", "butter"], None),
        ]
        assert run(connection, "SELECT count(*) FROM pgmq.q_analytics_queue") == [(1,)], "the route is another's"
    older.broker.publish_actors(connection, retire=True)  # a rollback is a contract too
    assert [row[0] for row in run(connection, contract)] == ["fresh", "old", "stay"]


def test_doctor_names_what_no_worker_has_and_a_person_may_give_it_up(
    older: Version, newer: Version, connection: Connection
) -> None:
    older.declare("bake")
    newer.declare("bake")
    newer.declare("ice")
    newer.broker.publish_actors(connection, retire=True)
    older.broker.enqueue_many([message_with(actor_name=name, args=(1,)) for name in ("ice", "ice", "bkae")])
    with older.at_work():
        until(lambda: len(run(connection, ASIDE)) == 2)
        found = processes.knowing(connection)
        assert found.verdict == "bad"
        assert "bkae (1 since " in found.what
        assert "ice (2 since " in found.what
        given_up = CliRunner().invoke(dead, ["--give-up", "bkae", "--json", "--reason", "a test"])
        assert [each["error"] for each in json.loads(given_up.stdout)] == ["Given up: no worker has bkae."]
        assert processes.knowing(connection).verdict == "note"
        with newer.at_work():
            newer.broker.join("default", timeout=PATIENCE)
            assert processes.knowing(connection).verdict == "good"
