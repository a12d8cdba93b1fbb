"""Draws the runs that were kept: a panel for each figure, a line for each kind of hardware, its rounds as a range."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import settings
from bench.history import FIGURES, Figure, Run, written
from bench.picture import TEMPLATES

PICTURE = settings.ROOT / "docs" / "bench-trend.svg"
COLOURS = ("#1a7f5a", "#0969da", "#9a6700", "#8250df")
WIDE, HIGH = 620, 70  # of a panel's plot


def draw(runs: Sequence[Run]) -> str:
    """All runs as SVG, the oldest on the left."""
    hardware = list(dict.fromkeys(run.hardware for run in runs))
    panels = [
        {
            "title": figure.title,
            "better": "more is better" if figure.more_is_better else "less is better",
            **_plot(figure, runs, hardware),
        }
        for figure in FIGURES
        if any(figure.name in run.figures for run in runs)
    ]
    legend = [
        {"colour": _colour(number), "label": f"{cores} cores of {cpu}"} for number, (cpu, cores) in enumerate(hardware)
    ]
    return TEMPLATES.get_template("trend.svg.j2").render(panels=panels, legend=legend, wide=WIDE, high=HIGH)


def _plot(figure: Figure, runs: Sequence[Run], hardware: list[tuple[str, int]]) -> dict[str, Any]:
    most = max(max(run.figures[figure.name]) for run in runs if figure.name in run.figures)
    step = WIDE / max(1, len(runs) - 1)

    def points(kind: tuple[str, int]) -> Iterator[dict[str, Any]]:
        for number, run in enumerate(runs):
            if run.hardware == kind and (rounds := run.figures.get(figure.name)):
                low, middle, top = (HIGH * (1 - value / most) for value in (min(rounds), _median(rounds), max(rounds)))
                yield {"x": number * step, "low": low, "y": middle, "top": top, "since": run.since}

    lines = [{"colour": _colour(number), "points": list(points(kind))} for number, kind in enumerate(hardware)]
    last = next(run.figures[figure.name] for run in reversed(runs) if figure.name in run.figures)
    return {"lines": lines, "most": written(most), "last": written(_median(last))}


def _median(rounds: list[float]) -> float:
    return statistics.median(rounds)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
