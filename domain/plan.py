"""What is going to happen when, if nobody changes anything: due moments meet the slots of the job that acts on them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.slots import next_slot


@dataclass(frozen=True, order=True)
class Event:
    """Something that happens to a row: `subject` is its table's noun and its id."""

    at: datetime
    what: str
    subject: str


def at_slots(events: Iterable[Event], start: datetime, schedule: str, time_zone: ZoneInfo) -> list[Event]:
    """Each event at the first slot from its moment on, and not before `start`.

    Of several to one subject in one slot, the last counts: a run does them in one go.
    """
    happening = {}
    for event in sorted(events):
        moved = replace(event, at=next_slot(schedule, time_zone, max(event.at, start)))
        happening[moved.at, moved.subject] = moved
    return sorted(happening.values())
