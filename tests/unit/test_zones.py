"""A time zone's name is read in one place, whatever it says."""

import re
from zoneinfo import ZoneInfo

import pytest

import settings
from errors import SettingsError
from tests.unit.test_calendar_file import APPOINTMENT
from zones import zone_named, zone_or

MOSCOW, TOKYO = ZoneInfo("Europe/Moscow"), ZoneInfo("Asia/Tokyo")
NO_ZONES = [
    "Europe",
    "America/Argentina",
    "Mars/Olympus",
    "x" * 300,
    "x/" * 3000,
    "Europe/Moscow\0",
    "Europe/Moscow/x",
    "../../etc/passwd",
    "/etc/localtime",
    ".",
    "zone.tab",
    "\ud800",
    "Europe/Москва",
    "UTC+3",
    " ",
    "a.b/c",
    "__init__.py",
]


@pytest.mark.parametrize("name", NO_ZONES)
def test_what_names_no_zone_is_refused_everywhere_alike(name: str) -> None:
    with pytest.raises(ValueError, match="must be an IANA time zone"):
        zone_named(name)
    assert zone_or(name, TOKYO) == TOKYO
    assert APPOINTMENT.model_copy(update={"time_zone": name}).zone(TOKYO) == TOKYO
    if name.strip():
        with pytest.raises(SettingsError, match=r"TIME_ZONE: .* must be an IANA time zone such as Europe/Moscow"):
            settings.load({"TIME_ZONE": name})


def test_a_zone_that_is_one_is_itself() -> None:
    assert zone_named("Europe/Moscow") == MOSCOW == settings.load({}).time_zone
    assert zone_or(None, TOKYO) == zone_or("", TOKYO) == zone_or("Asia/Tokyo", MOSCOW) == TOKYO


def test_no_name_is_read_elsewhere() -> None:
    """Constants aside."""
    readers = {
        str(path.relative_to(settings.ROOT))
        for folder in ("", "actors", "commands", "db", "domain", "gateways", "mail", "messaging", "reports", "web")
        for path in (settings.ROOT / folder).glob("*.py")
        if re.search(r"ZoneInfo\((?!\")|ZoneInfo\.(from|no)|\btz\.gettz|pytz", path.read_text())
    }
    assert readers == {"zones.py"}
