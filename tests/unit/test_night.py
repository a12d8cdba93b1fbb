"""A night is hours by the clocks of a zone, and ends when those say so, also where they are set forward or back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import settings
from errors import SettingsError
from zones import night

NIGHT = night("22:00-08:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "zone", "at", "end"),
    [
        ("22:00-08:00", "Europe/Moscow", "2026-11-25 18:59:59", None),
        ("22:00-08:00", "Europe/Moscow", "2026-11-25 19:00", "2026-11-26 05:00"),
        ("22:00-08:00", "Europe/Moscow", "2026-11-25 22:30", "2026-11-26 05:00"),
        ("22:00-08:00", "Europe/Moscow", "2026-11-26 05:00", None),
        ("22:00-08:00", "Asia/Vladivostok", "2026-11-25 19:00", "2026-11-25 22:00"),
        ("22:00-08:00", "America/New_York", "2026-11-25 19:00", None),
        ("01:00-06:30", "Europe/Moscow", "2026-11-25 21:59", None),
        ("01:00-06:30", "Europe/Moscow", "2026-11-25 22:00", "2026-11-26 03:30"),
        ("00:00-08:00", "Europe/Moscow", "2026-11-25 21:00", "2026-11-26 05:00"),
        ("22:00-08:00", "Europe/Berlin", "2026-03-28 22:00", "2026-03-29 06:00"),  # an hour is skipped
        ("22:00-08:00", "Europe/Berlin", "2026-10-24 21:00", "2026-10-25 07:00"),  # an hour comes twice
        ("22:00-02:30", "Europe/Berlin", "2026-10-25 00:10", "2026-10-25 00:30"),
        ("22:00-02:30", "Europe/Berlin", "2026-10-25 01:10", "2026-10-25 01:30"),
    ],
)
def test_a_night_ends_by_the_familys_clocks(hours: str, zone: str, at: str, end: str | None) -> None:
    found = night(hours)
    assert found is not None
    assert found.end(utc(at), ZoneInfo(zone)) == (end and utc(end))


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe"])
def test_a_nights_end_is_ahead_and_no_further_than_a_night(zone: str) -> None:
    assert NIGHT is not None
    at = utc("2026-01-01 00:07")
    while at < utc("2027-01-01 00:00"):
        if end := NIGHT.end(at, ZoneInfo(zone)):
            assert timedelta() < end - at <= timedelta(hours=11)
            assert NIGHT.end(end, ZoneInfo(zone)) is None
        at += timedelta(minutes=30)


@pytest.mark.parametrize(
    "hours", ["22:00", "22-8", "22:00-24:00", "22:60-08:00", "08:00-08:00", "at night", "22:00-8:00"]
)
def test_other_words_than_two_times_are_refused(hours: str) -> None:
    with pytest.raises(SettingsError, match=r"EMAIL_NIGHT: .* must be two different times such as 22:00-08:00"):
        settings.load({"EMAIL_NIGHT": hours})


def test_a_night_is_on_unless_it_is_set_to_nothing() -> None:
    assert settings.load({}).email_night == NIGHT
    assert settings.load({"EMAIL_NIGHT": " "}).email_night is None
    assert settings.load({"EMAIL_NIGHT": "23:00-07:00"}).email_night == night("23:00-07:00")
