"""Workers that die while they run messages of a key: these run again, and the rest of their lines after them."""

import os
from itertools import groupby

from tests.faults.crew import Crew, Office
from tests.waiting import until

RESCUE_SECONDS = 20
LINES, LOAVES = 12, 25


def test_what_a_killed_worker_ran_runs_again_and_its_line_goes_on_in_order(office: Office, crew: Crew) -> None:
    victim = crew.hire(threads=4)
    office.send("finish_after_gate", "first", key="rye")
    for number in range(20):
        office.send("count", number, key="rye")
    until(lambda: office.deeds()["began:first"] == 1, "the victim runs the first")
    survivor = crew.hire(threads=4)
    office.send("count", 99)
    until(lambda: office.deeds()["99"] == 1, "others go on meanwhile")
    victim.kill()
    gate = office.open_gate()
    until(lambda: office.states() == {"done": 22}, "the whole line has run", RESCUE_SECONDS)
    os.close(gate)
    assert [deed for deed in survivor.did() if deed != "99"] == ["began:first", "first", *map(str, range(20))]


def test_lines_keep_their_order_one_by_one_whoever_of_their_workers_dies(office: Office, crew: Crew) -> None:
    victims = [crew.hire(threads=3) for _ in range(2)]
    for number in range(LOAVES):
        for line in range(LINES):
            office.send("nap", f"{line}.{number}", 0.002, key=f"line {line}")
    for victim, share in zip(victims, (4, 2), strict=True):
        until(lambda: office.states().get("done", 0) > LINES * LOAVES // share, "they are in the midst of it")  # noqa: B023
        victim.kill()
        crew.hire(threads=3)
    until(lambda: office.states() == {"done": LINES * LOAVES}, "all have run", 3 * RESCUE_SECONDS)
    deeds = [deed for deed, _, _ in office.effects()]
    for line in range(LINES):
        of_line = [deed.removeprefix("began:") for deed in deeds if deed.removeprefix("began:").startswith(f"{line}.")]
        assert [name for name, _ in groupby(of_line)] == [f"{line}.{number}" for number in range(LOAVES)]
