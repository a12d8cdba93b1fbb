"""What the fault tests share: an office with a database and a broker to send from, and a crew of real workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crew import Crew, Office
from tests.servers import ground


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's own user may enter, which pytest's are not."""
    with ground.new_folder("commands") as path:
        yield path


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
