"""Plots as SVG for the web pages: no script, readable in dark mode, spoken by screen readers."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from html import escape
from math import ceil

from babel.numbers import format_compact_decimal

from domain.russian import number

Day = tuple[date, int | Decimal]

WIDTH, HEIGHT = 420, 170
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 12, 24  # margins inside, on the right for half of a date
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MOST_DATES = 6  # labels under the bars


def daily_bars(title: str, counts: Sequence[Day], highest: int | Decimal = 0) -> str:
    """One bar a day, with its date and count as a tooltip; plots that share a scale share its `highest` count."""
    top = round_up(ceil(max((highest, *(count for _, count in counts)))))
    return "".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="plot"',
        ' font-family="system-ui, sans-serif" font-size="11" fill="currentColor">',
        f"<title>{escape(title)}</title>",
        f"<desc>{_described(counts)}</desc>",
        *(_grid_line(value, top) for value in sorted({0, top // 2, top})),
        *(_bar(place, len(counts), each, top) for place, each in enumerate(counts)),
        *_dates(counts),
        "</svg>",
    ])  # fmt: skip


def round_up(value: int) -> int:
    """A top for the scale: the next of 2, 4, 6, 8, 10, 20, 40, …, so that its half is a whole number."""
    step: int = 2 * 10 ** (len(str(value)) - 1)
    return max(2, ceil(value / step) * step)


def short(value: int) -> str:
    """A number of the scale, with room in its margin: `500`, `20 тыс`, `1 млн`."""
    return format_compact_decimal(value, locale="ru").rstrip(".")


def _described(counts: Sequence[Day]) -> str:
    if not counts:
        return "нет дней"
    total, most = sum(count for _, count in counts), max(count for _, count in counts)
    first, last = _in_figures(counts[0][0]), _in_figures(counts[-1][0])
    return f"Всего {number(total)} с {first} по {last}, не больше {number(most)} в день"


def _in_figures(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def _height_of(value: int | Decimal, top: int) -> float:
    return PLOT_HEIGHT * float(value) / top


def _grid_line(value: int, top: int) -> str:
    y = TOP + PLOT_HEIGHT - _height_of(value, top)
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity="0.2"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'
    )


def _bar(place: int, places: int, each: Day, top: int) -> str:
    day, count = each
    step = PLOT_WIDTH / places
    height = _height_of(count, top)
    return (
        f'<rect x="{LEFT + place * step + step * 0.15:.1f}" y="{TOP + PLOT_HEIGHT - height:.1f}"'
        f' width="{step * 0.7:.1f}" height="{height:.1f}" fill="#2c8c7c">'
        f"<title>{_in_figures(day)}: {number(count)}</title></rect>"
    )


def _dates(counts: Sequence[Day]) -> list[str]:
    """The first day and every so many after it, so that the labels do not touch."""
    step, every = PLOT_WIDTH / max(len(counts), 1), ceil(len(counts) / MOST_DATES)
    return [
        f'<text x="{LEFT + (place + 0.5) * step:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{day:%d.%m}</text>'
        for place, (day, _) in enumerate(counts)
        if place % every == 0
    ]
