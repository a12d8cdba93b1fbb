"""Plots are well-formed SVG that says in words what it shows."""

from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.plot import HEIGHT, PLOT_HEIGHT, TOP, daily_bars, round_up

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2026, 11, 1)


@given(st.lists(st.integers(0, 10**6), max_size=400))
def test_every_day_has_a_bar_inside_the_plot(counts: list[int]) -> None:
    days = [(FIRST + timedelta(days=place), count) for place, count in enumerate(counts)]
    plot = ET.fromstring(daily_bars("Events", days))
    bars = plot.findall(f"{SVG}rect")
    assert len(bars) == len(counts)
    for bar, count in zip(bars, counts, strict=True):
        assert TOP - 0.1 <= float(bar.attrib["y"]) <= HEIGHT
        assert float(bar.attrib["height"]) == pytest.approx(PLOT_HEIGHT * count / round_up(max(counts)), abs=0.06)
        tooltip = bar.findtext(f"{SVG}title")
        assert tooltip is not None
        assert tooltip.endswith(f": {count}")


def test_a_plot_describes_itself_and_escapes_its_title() -> None:
    plot = ET.fromstring(daily_bars("<b>Mails & reports</b>", [(FIRST, 3), (FIRST + timedelta(days=1), 4)]))
    assert plot.findtext(f"{SVG}title") == "<b>Mails & reports</b>"
    assert plot.findtext(f"{SVG}desc") == "7 from 2026-11-01 to 2026-11-02, at most 4 a day"


@pytest.mark.parametrize(("value", "top"), [(0, 2), (1, 2), (3, 4), (9, 10), (11, 20), (45, 60), (1001, 2000)])
def test_the_scale_ends_at_a_round_number(value: int, top: int) -> None:
    assert round_up(value) == top
