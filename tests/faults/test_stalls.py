"""Servers that stall, freeze or change their clock make nobody dead; a killed worker's messages still run elsewhere."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.migrate import migrate
from messaging.judge import BEATS_IN_SILENCE
from tests.faults import trouble
from tests.faults.crew import SILENCE_SECONDS, Crew, Office
from tests.servers import own_postgres
from tests.servers.own_postgres import OwnServer
from tests.waiting import until

TROUBLE_SECONDS = 2 * float(SILENCE_SECONDS)
RESCUE_SECONDS = 40
NAMES = {"one", "two", "three", "four"}

Trouble = Callable[[OwnServer, Office], None]


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    with own_postgres.running() as server:
        migrate(server.url)
        yield server


@pytest.fixture
def office(own_server: OwnServer, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Office]:
    office = Office(own_server.url, tmp_path)
    yield office
    office.broker.close()


def commits_stall(server: OwnServer, _: Office) -> None:
    with trouble.commits_stalled(server):
        time.sleep(TROUBLE_SECONDS)


def server_freezes(server: OwnServer, _: Office) -> None:
    with trouble.frozen(server):
        time.sleep(TROUBLE_SECONDS)


def clock_steps(_: OwnServer, office: Office) -> None:
    for minutes in (-10, 10):
        ends = time.monotonic() + TROUBLE_SECONDS / 2
        while time.monotonic() < ends:
            office.query("UPDATE dramatiq.beat SET at = now() + %s * interval '1 minute'", minutes)
            time.sleep(0.2)


@pytest.mark.parametrize(
    "happens",
    [
        commits_stall,
        pytest.param(server_freezes, marks=pytest.mark.heavy),
        pytest.param(clock_steps, marks=pytest.mark.heavy),
    ],
)
def test_nobody_is_given_up_and_a_killed_worker_is_rescued(
    own_server: OwnServer, office: Office, crew: Crew, happens: Trouble
) -> None:
    victim, other = crew.hire(threads=2), crew.hire(threads=2)
    for name in NAMES:
        office.send("finish_after_gate", name)
    until(lambda: office.deeds().keys() >= {f"began:{name}" for name in NAMES}, "both run two each")
    beats = "SELECT min(beats) FROM dramatiq.alive"
    until(lambda: office.query(beats)[0][0] > BEATS_IN_SILENCE + 1, "both may judge: a full silence lies behind them")
    happens(own_server, office)
    time.sleep(TROUBLE_SECONDS)  # for judges that would be wrong
    assert office.deeds() == dict.fromkeys((f"began:{name}" for name in NAMES), 1)
    assert "worker_was_given_up" not in office.logged()

    victim.kill()
    gate = office.open_gate()
    until(lambda: office.states() == {"done": 4}, "what the killed one held runs elsewhere", RESCUE_SECONDS)
    os.close(gate)
    assert set(other.did()) >= NAMES
