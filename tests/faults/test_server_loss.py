"""PostgreSQL restarts, or its sessions are cut, in the middle of a drain: every message runs, and few run twice."""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from dramatiq import pipeline

from db.migrate import migrate
from tests.faults.crew import Crew, Office
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer
from tests.waiting import until

MESSAGES = 10_000
CUT_EVERYONE_OFF = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        migrate(server.url)
        yield server


@pytest.fixture
def office(server: OwnServer, tmp_path: Path) -> Iterator[Office]:
    office = Office(server.url, tmp_path)
    office.query("TRUNCATE dramatiq.queue, dramatiq.worker CASCADE")
    yield office
    office.broker.close()


@pytest.mark.parametrize("how", ["restarted", "crashed", "every backend terminated"])
def test_a_drain_survives_its_server_being(how: str, server: OwnServer, office: Office, crew: Crew) -> None:
    office.send_many("count", [(number,) for number in range(MESSAGES)])
    crew.hire()
    crew.hire()
    for share in (0.2, 0.4, 0.6):
        until(partial(has_done, office, share), f"{share:.0%} of the drain is done")
        if how == "every backend terminated":
            office.query(CUT_EVERYONE_OFF)
        else:
            server.restart("fast" if how == "restarted" else "immediate")
    until(partial(has_done, office, 1.0), "every message is done")

    deeds = office.deeds()
    repeated = Counter(deeds) - Counter(deeds.keys())
    print(f"{how} three times: {MESSAGES} messages, {repeated.total()} duplicate runs")
    assert deeds.keys() == {str(number) for number in range(MESSAGES)}
    assert repeated.total() <= 3 * 2 * 8, "only what both workers' 8 threads ran at the three moments may run twice"
    assert office.states() == {"done": MESSAGES}
    assert "bug in Dramatiq" not in office.logged()


@pytest.mark.parametrize(
    ("actor", "runs"),
    [("retry_after_gate", 2), ("finish_after_gate", 1), ("fail_after_gate", 1), ("pipe_after_gate", 1)],
)
def test_what_ends_while_the_server_is_away_is_settled_when_it_returns(
    server: OwnServer, office: Office, crew: Crew, actor: str, runs: int
) -> None:
    """A retry, a dead letter or the next message of a pipeline that could not be stored must not pass as done."""
    first, second = office.message(actor, "work", max_retries=1), office.message("count", 1)
    office.broker.enqueue(pipeline([first, second], broker=office.broker).messages[0] if "pipe" in actor else first)
    crew.hire()
    until(lambda: office.deeds()["began:work"] == 1, "it runs")
    with server.away():
        gate = office.open_gate()
        until(lambda: office.deeds()["work"] == 1, "it ends while nobody can hear of it")
        until(lambda: "database_lost" in office.logged(), "the worker notices")
    until(lambda: office.states().keys() <= {"done", "rejected"}, "all is settled")
    os.close(gate)
    assert office.deeds()["work"] == runs
    assert office.deeds()["1"] == ("pipe" in actor)
    assert ("rejected" in office.states()) == (actor in {"retry_after_gate", "fail_after_gate"})
    assert "bug in Dramatiq" not in office.logged()


def has_done(office: Office, share: float) -> bool:
    return office.states().get("done", 0) >= MESSAGES * share
