"""Plots are well-formed SVG that says in words what it shows."""

from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.statistics import highest
from domain.plot import HEIGHT, LEFT, PLOT_HEIGHT, TOP, daily_bars, round_up, short
from domain.russian import number

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
        assert tooltip.endswith(f": {number(count)}")


def test_plots_that_share_their_highest_count_share_a_scale() -> None:
    small, large = ([(FIRST, count)] for count in (10, 100))
    top = highest([small, large])
    bars = [ET.fromstring(daily_bars("Mails", days, top)).find(f"{SVG}rect") for days in (small, large)]
    heights = [float(bar.attrib["height"]) for bar in bars if bar is not None]
    assert heights[1] == pytest.approx(10 * heights[0])


def test_a_plot_describes_itself_and_escapes_its_title() -> None:
    plot = ET.fromstring(daily_bars("<b>Mails & reports</b>", [(FIRST, 3), (FIRST + timedelta(days=1), 4)]))
    assert plot.findtext(f"{SVG}title") == "<b>Mails & reports</b>"
    assert plot.findtext(f"{SVG}desc") == "Всего 7 с 01.11.2026 по 02.11.2026, не больше 4 в день"


@pytest.mark.parametrize(("value", "top"), [(0, 2), (1, 2), (3, 4), (9, 10), (11, 20), (45, 60), (1001, 2000)])
def test_the_scale_ends_at_a_round_number(value: int, top: int) -> None:
    assert round_up(value) == top


@pytest.mark.parametrize(
    ("value", "label"),
    [(0, "0"), (500, "500"), (1000, "1 тыс"), (500_000, "500 тыс"), (10**6, "1 млн"), (4 * 10**9, "4 млрд")],
)
def test_the_labels_of_the_scale_are_short(value: int, label: str) -> None:
    assert short(value) == label.replace(" ", "\N{NO-BREAK SPACE}")


@given(st.integers(0, 8 * 10**11))
def test_the_labels_of_the_scale_are_exact_and_fit_their_margin(value: int) -> None:
    top = round_up(value)
    for label in (top, top // 2):
        figure, *unit = short(label).split("\N{NO-BREAK SPACE}")
        assert int(figure) * {"тыс": 10**3, "млн": 10**6, "млрд": 10**9}.get("".join(unit), 1) == label
        assert len(short(label)) * 6.5 < LEFT - 7  # pixels that a letter takes on average, and those there are


def test_money_keeps_its_kopecks() -> None:
    plot = ET.fromstring(daily_bars("Revenue", [(FIRST, Decimal("6500.50"))]))
    assert plot.findtext(f"{SVG}rect/{SVG}title") == "01.11.2026: 6\N{NO-BREAK SPACE}500,50"
