"""What is going to happen when, if nobody changes anything: due moments meet the slots of the job that acts on them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.slots import next_slot


class Happening(NamedTuple):
    """Something that happens to a row: `subject` is its table's noun and its id. They sort by time."""

    at: datetime
    what: str
    subject: str


def at_slots(happenings: Iterable[Happening], start: datetime, schedule: str, time_zone: ZoneInfo) -> list[Happening]:
    """Each of these at the first slot from its moment on, and not before `start`; slot by slot.

    Of several to one subject in one slot, the last counts: a run does them in one go.
    """
    moved = {}
    slot = None
    for each in sorted(happenings):
        if slot is None or max(each.at, start) > slot:
            slot = next_slot(schedule, time_zone, max(each.at, start))
        moved[slot, each.subject] = Happening(slot, each.what, each.subject)
    return list(moved.values())
