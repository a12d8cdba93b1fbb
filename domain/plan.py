"""What is going to happen when, if nobody changes anything: due moments meet the slots of the job that acts on them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.slots import next_slot


@dataclass(frozen=True, order=True)
class Happening:
    """Something that happens to a row: `subject` is its table's noun and its id."""

    at: datetime
    what: str
    subject: str


def at_slots(happenings: Iterable[Happening], start: datetime, schedule: str, time_zone: ZoneInfo) -> list[Happening]:
    """Each of these at the first slot from its moment on, and not before `start`.

    Of several to one subject in one slot, the last counts: a run does them in one go.
    """
    moved = {}
    slot = None
    for each in sorted(happenings):
        if slot is None or max(each.at, start) > slot:
            slot = next_slot(schedule, time_zone, max(each.at, start))
        late = replace(each, at=slot)
        moved[late.at, late.subject] = late
    return sorted(moved.values())
