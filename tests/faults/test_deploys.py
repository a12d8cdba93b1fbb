"""Two versions of an application beside each other, through a deploy, a rollback and the next deploy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg2
import pytest

import settings
from tests.faults.crew import Crew, Office
from tests.waiting import until

VERSIONS = "tests.faults.versions"
JOBS = "SELECT name, schedule FROM balansity.job WHERE NOT retired AND name IN ('air', 'sweep') ORDER BY 1"
SLOTS = "SELECT count(*) FROM balansity.slot WHERE job = %s AND state <> 'skipped'"


class Site:
    """Sends what a version of the site would, and remembers what has to come of it."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.numbers = count(1)
        self.owed: list[str] = []

    def greet(self) -> None:
        self._send("greet", "greeted", '{"name": "%s"}')

    def hug(self) -> None:
        self._send("greet", "hugged", '{"name": "%s", "warmly": true}')

    def wave(self) -> None:
        self._send("wave", "waved", '{"name": "%s"}')

    def wave_from_python(self) -> None:
        """As a process of the newer site does that has yet to end: it asks no contract."""
        number = next(self.numbers)
        self.office.send("wave", str(number))
        self.owed.append(f"waved:{number}")

    def all_came(self) -> bool:
        return all(self.office.deeds()[deed] == 1 for deed in self.owed)

    def _send(self, actor: str, deed: str, arguments: str) -> None:
        number = next(self.numbers)
        self.office.query("SELECT dramatiq.send(%s, %s)", actor, arguments % number)
        self.owed.append(f"{deed}:{number}")


@pytest.fixture
def site(office: Office) -> Site:
    return Site(office)


def test_a_deploy_a_rollback_and_a_deploy_lose_nothing_and_kill_nothing(office: Office, crew: Crew, site: Site) -> None:
    publish(office, "older")
    site.greet()
    publish(office, "newer")
    for send in (site.greet, site.hug, site.wave) * 5:
        send()
    older = crew.hire(module=VERSIONS, VERSION="older")  # it starts after the deploy: its contract does not count
    with scheduling(office, "older"):
        site.hug()
        until(lambda: waiting(office) == ["greet(name, warmly=)", "wave"])
        newer = crew.hire(module=VERSIONS, VERSION="newer")
        with scheduling(office, "newer"):
            for send in (site.greet, site.hug, site.wave) * 5:
                send()
            assert office.query(JOBS) == [("air", "* * * * *"), ("sweep", "*/2 * * * *")]
            office.query("UPDATE balansity.job SET planned_until = now() - interval '6 minutes'")
            until(lambda: slots(office, "air") >= 6 and slots(office, "sweep") >= 3)
            assert slots(office, "sweep") <= 4, "the older scheduler keeps the newer schedule"
            until(site.all_came)

            site.hug()
            site.wave()
            publish(office, "older")  # the rollback, while both versions run
            site.greet()
            site.wave_from_python()
            until(site.all_came)
            with pytest.raises(psycopg2.Error, match="cannot be called with these arguments"):
                site.hug()
            with pytest.raises(psycopg2.Error, match="No actor is called 'wave'"):
                site.wave()
            assert office.query(JOBS) == [("sweep", "* * * * *")]
            newer.terminate()
            newer.process.wait()
            site.wave_from_python()
            until(lambda: waiting(office) == ["wave"])

            before = slots(office, "air")
            publish(office, "newer")
            older.terminate()
            crew.hire(module=VERSIONS, VERSION="newer")
            office.query("UPDATE balansity.job SET planned_until = now() - interval '2 minutes' WHERE name = 'air'")
            until(lambda: slots(office, "air") > before)
            site.hug()
            until(site.all_came)
    until(lambda: set(office.states()) == {"done"})
    assert max(office.deeds().values()) == 1


def publish(office: Office, version: str) -> None:
    subprocess.run(
        [sys.executable, "-m", VERSIONS, "publish"], env=surroundings(office, version), cwd=settings.ROOT, check=True
    )


@contextmanager
def scheduling(office: Office, version: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", VERSIONS, "schedule"], env=surroundings(office, version), cwd=settings.ROOT
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def surroundings(office: Office, version: str) -> dict[str, str]:
    files = {"EFFECTS_FILE": str(office.effects_file), "GATE_FILE": str(office.gate_file)}
    return os.environ | files | {"DATABASE_URL": office.url, "VERSION": version}


def waiting(office: Office) -> list[str]:
    """What messages wait for that no worker has, as doctor tells."""
    return [row[0] for row in office.query("SELECT ability FROM dramatiq.missing_abilities() ORDER BY 1")]


def slots(office: Office, job: str) -> int:
    return int(office.query(SLOTS, job)[0][0])
