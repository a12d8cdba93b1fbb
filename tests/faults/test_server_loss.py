"""PostgreSQL restarts, or its sessions are cut, in the middle of a drain: every message runs, and few run twice."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from db.migrate import migrate
from tests.faults.crew import Crew, Office, until
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer

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
    office.query("TRUNCATE dramatiq.queue, dramatiq.worker")
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


def has_done(office: Office, share: float) -> bool:
    return office.states().get("done", 0) >= MESSAGES * share
