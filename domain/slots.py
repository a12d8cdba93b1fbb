"""A job's slots: the planned times of its cron expression, and what becomes of those that are due."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from heapq import heappop, heappush, merge
from itertools import islice
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

INSTANT = timedelta(microseconds=1)  # the smallest step of a timestamptz
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOTHING = timedelta()
LONGEST_REST = timedelta(days=41 * 366)  # 29 February, if it must be a Monday, rests for 40 years around 2100
SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)
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
    actor: str | None  # that its slots are sent to
    paused: bool
    planned_until: datetime


def has_due(job: PlannedJob, zone: ZoneInfo, now: datetime) -> bool:
    return any(slots_between(job.schedule, zone, job.planned_until, now))


def slots_that_came(
    job: PlannedJob, zone: ZoneInfo, now: datetime, missed: Missed, most_lateness: timedelta
) -> list[Slot]:
    """Those between `planned_until` and now: which of them run, and why the others do not."""
    why = "paused" if job.paused else "missed"
    listed_from = max(job.planned_until, now - max(LISTED, most_lateness))
    before = long_past(job.schedule, zone, job.planned_until, listed_from, why)
    due = list(slots_between(job.schedule, zone, listed_from, now))
    return before + ([Slot(at, why) for at in due] if job.paused else decide(due, now, missed, most_lateness))


class SlotTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler publishes no types
    """Fires some seconds after each slot."""

    def __init__(self, schedule: str, time_zone: ZoneInfo, second: int) -> None:
        self.schedule, self.time_zone, self.lateness = schedule, time_zone, timedelta(seconds=second)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        soonest = max(previous + INSTANT, now) if previous else now
        return next_slot(self.schedule, self.time_zone, soonest - self.lateness) + self.lateness


def cron_trigger(schedule: str, time_zone: ZoneInfo, second: int = 0) -> BaseTrigger:
    """APScheduler's trigger for the slots of a schedule, at that second of their minutes.

    Raises:
        ValueError: as check_schedule does.
    """
    check_schedule(schedule)
    return SlotTrigger(schedule, time_zone, second)


def check_schedule(schedule: str) -> None:
    """Refuse what is no five-field cron expression, and what never comes, such as 31 February.

    Raises:
        ValueError: naming the schedule; one that numbers its weekdays is refused, too: crons begin with different days.
    """
    if next(_wall_times(schedule, SOME_DAY), None) is None:
        raise ValueError(f"{schedule!r} never comes: none of its months has such a day")


def is_schedule(text: str) -> bool:
    """Whether check_schedule takes it."""
    try:
        check_schedule(text)
    except ValueError:
        return False
    return True


def slots_between(schedule: str, time_zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """The planned times in (after, until], in UTC.

    Where clocks go forward, a time that does not exist comes as much later; where they go back, an hour that exists
    twice counts once for a job of fixed hours and twice for one of every hour.
    """
    every_hour = _fields(schedule)[1].startswith("*")
    coming: list[datetime] = []  # a heap: around a change of clocks, times do not come in the order that clocks show
    latest = after
    for wall in _wall_times(schedule, _first_wall_time(time_zone, after)):
        first, second = (wall.replace(tzinfo=time_zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        soonest = min(first, second)  # nothing that clocks show from here on comes earlier
        while coming and coming[0] <= min(soonest, until):
            slot = heappop(coming)
            if slot > latest:
                latest = slot
                yield slot
        if soonest > until:
            return
        heappush(coming, first)  # of a time that does not exist, the first is as much later as clocks go forward
        if every_hour and second > first:
            heappush(coming, second)


class Slots(NamedTuple):
    """How many planned times there are, the first and the last of them."""

    runs: int
    first: datetime | None
    last: datetime | None


NO_SLOTS = Slots(0, None, None)


def count_slots(schedule: str, time_zone: ZoneInfo, after: datetime, until: datetime) -> Slots:
    """The planned times in (after, until], of which none of every hour is looked for one by one."""
    hours = (until - after) // HOUR if _is_hourly(schedule) and _shift(time_zone, after, until) % HOUR == NOTHING else 0
    in_an_hour = list(slots_between(schedule, time_zone, after, after + HOUR)) if hours else []
    rest = list(slots_between(schedule, time_zone, after + hours * HOUR, until))
    first = next(iter([*in_an_hour, *rest]), None)
    last = rest[-1] if rest else in_an_hour[-1] + (hours - 1) * HOUR if in_an_hour else None
    return Slots(hours * len(in_an_hour) + len(rest), first, last)


@lru_cache
def _is_hourly(schedule: str) -> bool:
    """Whether every hour has the same minutes."""
    return _fields(schedule)[1:] == ["*"] * 4


def _shift(time_zone: ZoneInfo, start: datetime, end: datetime) -> timedelta:
    """How much further clocks are from UTC at the end than at the start."""
    offsets = [at.astimezone(time_zone).utcoffset() or NOTHING for at in (start, end)]
    return offsets[1] - offsets[0]


def _first_wall_time(time_zone: ZoneInfo, after: datetime) -> datetime:
    """What a clock shows then; an earlier time, if it was put forward the day before or is put back the day after."""
    return min((after + step).astimezone(time_zone).replace(tzinfo=UTC) - step for step in (-DAY, 0 * DAY, DAY))


def _wall_times(schedule: str, start: datetime) -> Iterator[datetime]:
    """What a clock shows at the planned times from `start` on, as if there were no time zones; some come twice."""
    return merge(*(_wall_times_of(trigger, start) for trigger in _triggers(schedule)))


def _wall_times_of(trigger: CronTrigger, start: datetime) -> Iterator[datetime]:
    times = _times_of_day(trigger)
    day = _day_from(trigger, start.date())
    while day is not None:
        midnight = datetime.combine(day, time(), UTC)
        yield from (midnight + at for at in times[bisect_left(times, start - midnight) :])
        day = _day_from(trigger, day + DAY)


@lru_cache
def _times_of_day(trigger: CronTrigger) -> tuple[timedelta, ...]:
    """Since midnight, the same on each of its days."""
    *_, hour, minute, _second = trigger.fields
    hours = [at for at in range(24) if hour.get_next_value(SOME_DAY.replace(hour=at)) == at]
    minutes = [at for at in range(60) if minute.get_next_value(SOME_DAY.replace(minute=at)) == at]
    return tuple(timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)


@lru_cache(maxsize=10_000)  # whoever plans asks about the same days for each row
def _day_from(trigger: CronTrigger, day: date) -> date | None:
    """The first of its days from this one on."""
    at = trigger.get_next_fire_time(None, datetime.combine(day, time(), UTC))
    return at.date() if at else None


@lru_cache
def _triggers(schedule: str) -> tuple[CronTrigger, ...]:
    """A day of the month and a weekday are two alternatives, as in cron, unless one of the two begins with `*`."""
    minute, hour, day, month, weekday = _fields(schedule)
    either = not day.startswith("*") and not weekday.startswith("*")
    days = [(day, "*"), ("*", weekday)] if either else [(day, weekday)]
    try:
        return tuple(
            CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=UTC)
            for day, weekday in days
        )
    except ValueError as error:
        raise ValueError(f"{schedule!r}: {error}") from None


def _fields(schedule: str) -> list[str]:
    fields = schedule.split()
    if len(fields) != 5:
        raise ValueError(f"{schedule!r} must have five fields: minute, hour, day, month, weekday")
    if any(character.isdigit() for character in fields[4]):
        raise ValueError(
            f"{schedule!r}: weekdays must be named (mon, tue, …), numbers mean different days to different crons"
        )
    return fields


def next_slot(schedule: str, time_zone: ZoneInfo, moment: datetime) -> datetime:
    """The first planned time at or after a moment, in UTC; of a job of every hour without a look into the calendar."""
    if _is_hourly(schedule) and _shift(time_zone, moment - HOUR, moment + HOUR) % HOUR == NOTHING:
        return _next_of_every_hour(schedule, time_zone, moment)
    return next(slots_between(schedule, time_zone, moment - INSTANT, moment + LONGEST_REST))


def _next_of_every_hour(schedule: str, time_zone: ZoneInfo, moment: datetime) -> datetime:
    shown = moment.astimezone(time_zone)
    since = timedelta(minutes=shown.minute, seconds=shown.second, microseconds=shown.microsecond)  # the hour began
    [trigger] = _triggers(schedule)
    times = _times_of_day(trigger)
    return moment.astimezone(UTC) - since + times[bisect_left(times, since)]


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
