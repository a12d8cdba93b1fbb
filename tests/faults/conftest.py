"""What the fault tests share: an office with a database and a broker to send from, and a crew of real workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crew import Crew, Office


@pytest.fixture
def office(database: str, environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Office]:
    office = Office(database, tmp_path)
    yield office
    office.broker.close()


@pytest.fixture
def crew(office: Office) -> Iterator[Crew]:
    crew = Crew(office)
    yield crew
    crew.dismiss()
