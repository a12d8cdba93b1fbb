"""In every zone, slots are what a look at every minute finds: what clocks show, skip and show twice."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from domain.slots import check_schedule, count_slots, cron_trigger, next_slot, slots_between

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# Forward at midnight, at 23:00 and by half an hour; a day left out; back at midnight; and no change at all.
JUMPS = [
    ("Africa/Cairo", "2026-04-24"),
    ("Asia/Beirut", "2026-03-29"),
    ("America/Santiago", "2026-09-06"),
    ("America/Havana", "2026-03-08"),
    ("America/Nuuk", "2026-03-28"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Beirut", "2026-10-25"),
    ("America/Havana", "2026-11-01"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Europe/Moscow", "2026-11-25"),
]


def values(field: str, start: int, stop: int, names: list[str] | None = None) -> set[int]:
    """What one field of a cron expression allows."""
    found = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        numbers = [names.index(each) if names else int(each) for each in (first, last or first) if each != "*"]
        low, high = numbers or (start, stop - 1)
        found |= set(range(low, high + 1, int(step or 1)))
    return found


def matching_minutes(schedule: str, start: datetime, stop: datetime) -> Iterator[datetime]:
    minute, hour, day, month, weekday = schedule.split()
    minutes, hours, months = values(minute, 0, 60), values(hour, 0, 24), values(month, 1, 13)
    days, weekdays = values(day, 1, 32), values(weekday, 0, 7, WEEKDAYS)
    either = "*" not in (day[0], weekday[0])
    at = start.replace(second=0, microsecond=0)
    while at < stop:
        on_day, on_weekday = at.day in days, at.weekday() in weekdays
        right_day = (on_day or on_weekday) if either else (on_day and on_weekday)
        if right_day and at.month in months and at.hour in hours and at.minute in minutes:
            yield at
        at += MINUTE


def slots_by_the_minute(schedule: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    start, stop = (moment.astimezone(zone).replace(tzinfo=None) for moment in (after - 2 * DAY, until + 2 * DAY))
    found = set()
    for wall in matching_minutes(schedule, start, stop):
        first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        shown = [each.astimezone(UTC) for each in (first, second)]
        exists = shown[0].astimezone(zone).replace(tzinfo=None) == wall
        found.add(shown[0] if exists else wall.replace(tzinfo=UTC) - (shown[0] - DAY).astimezone(zone).utcoffset())  # type: ignore[operator]
        if exists and schedule.split()[1].startswith("*"):
            found.add(shown[1])
    return sorted(slot for slot in found if after < slot <= until)


minutes = st.sampled_from(["0", "30", "15,45", "*/20", "59", "5-7"])
hours = st.sampled_from(["0", "*", "2", "23", "*/6", "0-3", "1,13"])
month_days = st.sampled_from(["*", "1", "*/2", "20-31", "24,25"])
months = st.sampled_from(["*", "*", "3-5", "1,9-12"])
weekdays = st.sampled_from(["*", "sun", "mon-fri", "fri,sat", "*/3"])
schedules = st.builds(" ".join, st.tuples(minutes, hours, month_days, months, st.just("*"))) | st.builds(
    " ".join, st.tuples(minutes, hours, month_days, months, st.sampled_from(["*", "sun", "mon-fri", "fri,sat"]))
)
moments = st.integers(0, 46 * 366 * 1440).map(lambda count: datetime(1990, 1, 3, tzinfo=UTC) + count * MINUTE)
zones = st.sampled_from(sorted(available_timezones()))


@hypothesis_settings(deadline=None, max_examples=60)
@given(zones, moments, schedules)
def test_slots_are_what_a_look_at_every_minute_finds(name: str, after: datetime, schedule: str) -> None:
    until, zone = after + 2 * DAY, ZoneInfo(name)
    assert list(slots_between(schedule, zone, after, until)) == slots_by_the_minute(schedule, zone, after, until)


@pytest.mark.parametrize(("name", "day"), JUMPS)
@hypothesis_settings(deadline=None, max_examples=25)
@given(schedule=schedules, minutes_before=st.integers(0, 1440))
@example(schedule="0 0 * * *", minutes_before=720)
@example(schedule="30 0 * * *", minutes_before=0)
@example(schedule="0 * * * *", minutes_before=720)
@example(schedule="*/20 0 * * sun", minutes_before=720)
def test_slots_are_so_where_clocks_change(name: str, day: str, schedule: str, minutes_before: int) -> None:
    zone = ZoneInfo(name)
    after = datetime.fromisoformat(day).replace(tzinfo=UTC) - minutes_before * MINUTE
    until = after + 2 * DAY
    assert list(slots_between(schedule, zone, after, until)) == slots_by_the_minute(schedule, zone, after, until)


@pytest.mark.parametrize(("name", "day"), JUMPS)
def test_a_job_of_every_day_comes_on_every_day_that_clocks_show(name: str, day: str) -> None:
    zone = ZoneInfo(name)
    noon = datetime.fromisoformat(day).replace(tzinfo=zone, hour=12).astimezone(UTC)
    slots = list(slots_between("0 0 * * *", zone, noon - 5 * DAY, noon + 5 * DAY))
    dates = [slot.astimezone(zone).date() for slot in slots]
    assert len(set(dates)) == len(dates) == 10
    assert all(next_slot("0 0 * * *", zone, slot) == slot for slot in slots)


def test_a_day_of_the_month_and_a_weekday_are_alternatives_as_in_cron() -> None:
    moscow, start = ZoneInfo("Europe/Moscow"), datetime(2026, 11, 1, tzinfo=UTC)
    found = {slot.astimezone(moscow).day for slot in slots_between("0 3 13 * fri", moscow, start, start + 28 * DAY)}
    assert found == {6, 13, 20, 27}
    stars = {slot.astimezone(moscow).day for slot in slots_between("0 3 */2 * fri", moscow, start, start + 28 * DAY)}
    assert stars == {13, 27}


@pytest.mark.parametrize("schedule", ["0 0 31 feb *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_schedule_that_never_comes_is_refused_by_name(schedule: str) -> None:
    for refuse in (check_schedule, lambda each: cron_trigger(each, ZoneInfo("UTC"))):
        with pytest.raises(ValueError, match="never comes") as refused:
            refuse(schedule)
        assert repr(schedule) in str(refused.value)


def test_a_leap_day_that_must_be_a_monday_is_waited_for() -> None:
    assert next_slot("0 0 */28 2 mon", ZoneInfo("UTC"), datetime(2027, 3, 1, tzinfo=UTC)).year == 2038


@pytest.mark.parametrize(("name", "day"), JUMPS)
def test_the_scheduler_ticks_at_every_slot_and_never_between(name: str, day: str) -> None:
    zone, start = ZoneInfo(name), datetime.fromisoformat(day).replace(tzinfo=UTC) - DAY
    trigger, ticks = cron_trigger("0 0,1 * * *", zone, 1), []
    at = trigger.get_next_fire_time(None, start)
    while at < start + 3 * DAY:
        ticks.append(at - timedelta(seconds=1))
        at = trigger.get_next_fire_time(at, start)
    assert all(one < other for one, other in pairwise(ticks))
    assert ticks == list(slots_between("0 0,1 * * *", zone, start - MINUTE, start + 3 * DAY - MINUTE))


@pytest.mark.parametrize(("zone", "day"), JUMPS)
@pytest.mark.parametrize(
    "schedule", ["* * * * *", "*/7 * * * *", "15 * * * *", "59 * * * *", "30 2 * * *", "0 9 * * mon"]
)
@pytest.mark.parametrize("minutes", [0, 1, 59, 60, 61, 1440, 3 * 1440 + 17])
def test_slots_are_counted_as_if_one_by_one(zone: str, day: str, schedule: str, minutes: int) -> None:
    after = datetime.fromisoformat(f"{day}T00:00:30+00:00") - DAY
    until = after + minutes * MINUTE
    slots = list(slots_between(schedule, ZoneInfo(zone), after, until))
    ends = (slots[0], slots[-1]) if slots else (None, None)
    assert count_slots(schedule, ZoneInfo(zone), after, until) == (len(slots), *ends)


@pytest.mark.parametrize(("zone", "day"), JUMPS)
@pytest.mark.parametrize("schedule", ["* * * * *", "*/7 * * * *", "15 * * * *", "59 * * * *"])
def test_the_next_slot_is_the_first_of_those_that_come(zone: str, day: str, schedule: str) -> None:
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00") - DAY
    slots = list(slots_between(schedule, ZoneInfo(zone), start - MINUTE, start + 4 * DAY))
    for seconds in range(0, 3 * 86_400, 450):  # whole minutes and halves
        moment = start + timedelta(seconds=seconds)
        assert next_slot(schedule, ZoneInfo(zone), moment) == slots[bisect_left(slots, moment)]
