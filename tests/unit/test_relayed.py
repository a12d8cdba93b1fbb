"""The broker past one PostgreSQL, before any server is asked."""

import multiprocessing

from db.database import pool
from messaging.relayed import RelayedBroker


def test_a_fork_publishes_on_a_connection_of_its_own() -> None:
    broker = RelayedBroker(pool, urls=lambda: ["amqp://nowhere.example"], middleware=[])
    parents = (broker._publisher(), broker.amqp)
    fork = multiprocessing.get_context("fork")
    told = fork.SimpleQueue()

    def tell() -> None:
        told.put([id(own) != id(its) for own, its in zip((broker._publisher(), broker.amqp), parents, strict=True)])

    child = fork.Process(target=tell)
    child.start()
    assert told.get() == [True, True]
    child.join()
    assert (broker._publisher(), broker.amqp) == parents
