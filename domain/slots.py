"""A job's slots: the planned times of its cron expression, and what becomes of those that are due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

INSTANT = timedelta(microseconds=1)  # the smallest step of a timestamptz
LONGEST_REST = timedelta(days=5 * 366)  # 29 February comes at least so often, but for once a century
ON_TIME = timedelta(seconds=60)  # a slot this young was not missed
LISTED = timedelta(days=1)  # slots that passed longer ago share one row: half a million minutes make a year


class Missed(StrEnum):
    """What happens to slots that passed while no scheduler ran."""

    SKIP = "skip"  # none is made up for
    ONCE = "once"  # the latest stands for all of them
    ALL = "all"  # each one runs


@dataclass(frozen=True)
class Slot:
    """A planned time, and why it does not run if it does not."""

    at: datetime
    skipped: str | None = None


class PlannedJob(Protocol):
    """A job as the database knows it: every slot up to `planned_until` has been dealt with."""

    name: str
    schedule: str
    time_zone: str
    paused: bool
    planned_until: datetime


def has_due(job: PlannedJob, now: datetime) -> bool:
    return any(slots_between(job.schedule, ZoneInfo(job.time_zone), job.planned_until, now))


def slots_that_came(job: PlannedJob, now: datetime, missed: Missed, most_lateness: timedelta) -> list[Slot]:
    """Those between `planned_until` and now: which of them run, and why the others do not."""
    zone, why = ZoneInfo(job.time_zone), "paused" if job.paused else "missed"
    listed_from = max(job.planned_until, now - max(LISTED, most_lateness))
    before = long_past(job.schedule, zone, job.planned_until, listed_from, why)
    due = list(slots_between(job.schedule, zone, listed_from, now))
    return before + ([Slot(at, why) for at in due] if job.paused else decide(due, now, missed, most_lateness))


def cron_trigger(schedule: str, time_zone: ZoneInfo, second: int = 0) -> CronTrigger:
    """APScheduler's trigger for a five-field cron expression, at that second of its minutes.

    Raises:
        ValueError: it is malformed, or numbers its weekdays (cron counts from Sunday, APScheduler from Monday).
    """
    fields = schedule.split()
    if len(fields) != 5:
        raise ValueError(f"{schedule!r} must have five fields: minute, hour, day, month, weekday")
    if any(character.isdigit() for character in fields[4]):
        raise ValueError(
            f"{schedule!r}: weekdays must be named (mon, tue, …), numbers mean different days to different crons"
        )
    names = ("minute", "hour", "day", "month", "day_of_week")
    return CronTrigger(**dict(zip(names, fields, strict=True)), second=second, timezone=time_zone)


def slots_between(schedule: str, time_zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """The planned times in (after, until], in UTC.

    Where clocks go forward, a time that does not exist comes as much later; where they go back, an hour that exists
    twice counts once for a job of fixed hours and twice for one of every hour.
    """
    trigger = cron_trigger(schedule, time_zone)
    every_hour = schedule.split()[1].startswith("*")
    at = trigger.get_next_fire_time(None, (after + INSTANT).astimezone(time_zone))
    while at is not None and at.astimezone(UTC) <= until:
        if every_hour or at.fold == 0:
            yield at.astimezone(UTC)
        at = trigger.get_next_fire_time(None, (at.astimezone(UTC) + INSTANT).astimezone(time_zone))


def next_slot(schedule: str, time_zone: ZoneInfo, moment: datetime) -> datetime:
    """The first planned time from `moment` on, in UTC."""
    return next(slots_between(schedule, time_zone, moment - INSTANT, moment + LONGEST_REST))


def next_slots(schedule: str, time_zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    """The first planned times after a moment, in UTC."""
    return list(islice(slots_between(schedule, time_zone, after, after + LONGEST_REST), count))


def is_ahead(planned_until: datetime, now: datetime) -> bool:
    """Whether the clock was ahead when a job was planned until then, or has been set back since."""
    return planned_until > now + ON_TIME


def long_past(schedule: str, time_zone: ZoneInfo, after: datetime, until: datetime, why: str = "missed") -> list[Slot]:
    """The first planned time in (after, until], skipped in the name of all."""
    first = next(slots_between(schedule, time_zone, after, until), None)
    return [Slot(first, f"{why}, like every other until {until:%Y-%m-%d %H:%M} UTC")] if first else []


def decide(due: Sequence[datetime], now: datetime, missed: Missed, most_lateness: timedelta) -> list[Slot]:
    """What becomes of each due slot, oldest first."""
    return [Slot(at, _reason_to_skip(at, due[-1], now, missed, most_lateness)) for at in due]


def _reason_to_skip(
    at: datetime, latest: datetime, now: datetime, missed: Missed, most_lateness: timedelta
) -> str | None:
    if missed is Missed.SKIP and now - at > ON_TIME:
        return "missed"
    if missed is Missed.ONCE and at < latest:
        return f"missed, made up for by {latest:%Y-%m-%d %H:%M} UTC"
    if now - at > most_lateness:
        return f"missed by more than {most_lateness}"
    return None
