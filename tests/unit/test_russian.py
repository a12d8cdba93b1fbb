"""Times, money and counts read as a Russian reader expects them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain import russian

MOMENT = datetime(2026, 11, 25, 7, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Moscow", "25 ноября в 10:35 (МСК)"),
        ("Asia/Yekaterinburg", "25 ноября в 12:35 (МСК+2)"),
        ("Europe/Kaliningrad", "25 ноября в 09:35 (МСК−1)"),
        ("Europe/Berlin", "25 ноября в 08:35 (МСК−2)"),
        ("Asia/Kolkata", "25 ноября в 13:05 (МСК+2:30)"),
        ("America/New_York", "25 ноября в 02:35 (МСК−8)"),
    ],
)
def test_a_moment_is_told_in_the_readers_zone(zone: str, words: str) -> None:
    assert russian.day_and_time(MOMENT, ZoneInfo(zone)) == words


def test_the_distance_from_moscow_follows_the_other_zones_summer_time() -> None:
    summer = datetime(2026, 7, 1, 7, 35, tzinfo=UTC)
    assert russian.zone_name(summer, ZoneInfo("Europe/Berlin")) == "МСК−1"


def test_the_weekday_is_named() -> None:
    assert russian.weekday_and_time(MOMENT, russian.MOSCOW) == "среда, 25 ноября в 10:35 (МСК)"


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        ("5000", "RUB", "5 000 ₽"),
        ("5000.00", "RUB", "5 000 ₽"),
        ("5000.50", "RUB", "5 000,50 ₽"),
        ("990", "RUB", "990 ₽"),
        ("1250000", "RUB", "1 250 000 ₽"),
        ("20", "EUR", "20 €"),
        ("20", "??", "20 ??"),
    ],
)
def test_money_is_grouped_and_shows_kopecks_only_where_there_are_some(amount: str, currency: str, words: str) -> None:
    assert russian.money(Decimal(amount), currency).replace(russian.NO_BREAK, " ") == words


@pytest.mark.parametrize(
    ("count", "word"),
    [
        (1, "минута"),
        (2, "минуты"),
        (5, "минут"),
        (11, "минут"),
        (12, "минут"),
        (21, "минута"),
        (44, "минуты"),
        (45, "минут"),
    ],
)
def test_a_noun_agrees_with_its_number(count: int, word: str) -> None:
    assert russian.minutes(count) == f"{count}{russian.NO_BREAK}{word}"
