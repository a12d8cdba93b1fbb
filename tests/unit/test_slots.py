"""Slots are found where cron would find them, also where clocks change, and missed ones meet their policy."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from domain.slots import Missed, Slot, cron_trigger, decide, slots_between

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")  # forward on 29 March 2026 at 02:00, back on 25 October at 03:00


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def found(schedule: str, zone: ZoneInfo, after: str, until: str) -> list[str]:
    return [f"{slot:%d %H:%M}" for slot in slots_between(schedule, zone, utc(after), utc(until))]


def test_a_span_leaves_out_its_beginning_and_holds_its_end() -> None:
    assert found("*/5 * * * *", MOSCOW, "2026-11-25 10:00", "2026-11-25 10:10") == ["25 10:05", "25 10:10"]


def test_a_slot_is_in_the_jobs_time_zone() -> None:
    assert found("0 3 * * *", MOSCOW, "2026-11-25 00:00", "2026-11-26 23:59") == ["26 00:00"]


def test_weekdays_have_names() -> None:
    assert found("0 3 * * mon", MOSCOW, "2026-11-21 12:00", "2026-12-01 00:00") == ["23 00:00", "30 00:00"]
    with pytest.raises(ValueError, match="must be named"):
        cron_trigger("0 3 * * 1", MOSCOW)


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "x * * * *"])
def test_a_malformed_expression_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - APScheduler words it
        cron_trigger(schedule, MOSCOW)


@pytest.mark.parametrize(("day", "count"), [("2026-03-29", 23 * 12), ("2026-10-25", 25 * 12), ("2026-11-25", 24 * 12)])
def test_every_five_minutes_stays_every_five_minutes_when_clocks_change(day: str, count: int) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    slots = list(
        slots_between("*/5 * * * *", BERLIN, midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC))
    )
    assert len(slots) == count
    assert {later - slot for slot, later in pairwise(slots)} == {timedelta(minutes=5)}


def test_a_time_that_clocks_jump_over_comes_once() -> None:
    assert found("30 2 * * *", BERLIN, "2026-03-28 12:00", "2026-03-30 12:00") == ["29 01:30", "30 00:30"]


def test_a_time_that_clocks_show_twice_comes_once() -> None:
    assert found("30 2 * * *", BERLIN, "2026-10-24 12:00", "2026-10-26 12:00") == ["25 00:30", "26 01:30"]


def test_the_product_of_two_spans_is_the_whole() -> None:
    whole = found("*/7 * * * *", BERLIN, "2026-10-24 22:00", "2026-10-25 06:00")
    middle = "2026-10-25 01:04:30"
    assert whole == found("*/7 * * * *", BERLIN, "2026-10-24 22:00", middle) + found(
        "*/7 * * * *", BERLIN, middle, "2026-10-25 06:00"
    )


DUE = [utc("2026-11-25 10:00"), utc("2026-11-25 10:05"), utc("2026-11-25 10:10")]
NOW = utc("2026-11-25 10:10:02")


def test_missed_slots_are_skipped() -> None:
    assert [slot.skipped for slot in decide(DUE, NOW, Missed.SKIP, timedelta(hours=1))] == ["missed", "missed", None]


def test_the_latest_slot_stands_for_all_missed_ones() -> None:
    reason = "missed, made up for by 2026-11-25 10:10 UTC"
    assert [slot.skipped for slot in decide(DUE, NOW, Missed.ONCE, timedelta(hours=1))] == [reason, reason, None]


def test_every_missed_slot_is_made_up_for_unless_it_is_too_late() -> None:
    assert decide(DUE, NOW, Missed.ALL, timedelta(minutes=6)) == [
        Slot(DUE[0], "missed by more than 0:06:00"),
        Slot(DUE[1]),
        Slot(DUE[2]),
    ]


def test_no_policy_skips_a_slot_that_is_on_time() -> None:
    for missed in Missed:
        assert decide(DUE[2:], NOW, missed, timedelta(hours=1)) == [Slot(DUE[2])]
