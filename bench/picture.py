"""Draws a race as a picture: one row of bars a contestant, one panel a measure."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from bench.measures import MEASURES
from bench.race import Race, Standing
from bench.report import LABELS

PANELS = ("drain", "send", "bulk", "latency")
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(default=True), trim_blocks=True
)


def draw(race: Race) -> str:
    """The race as SVG."""
    titles = {measure.name: measure.title for measure in MEASURES}
    panels = [
        {"title": titles[name], "unit": "ms, p50" if name == "latency" else "messages/s", "bars": _bars(race, name)}
        for name in PANELS
        if race.of(name)
    ]
    return TEMPLATES.get_template("picture.svg.j2").render(panels=panels, machine=race.machine)


def _bars(race: Race, measure: str) -> list[dict[str, object]]:
    figures = [(standing, _figure(standing)) for standing in race.of(measure)]
    longest = max((figure for _, figure in figures), default=0) or 1
    return [
        {
            "label": LABELS[standing.contestant],
            "ours": standing.contestant.startswith("ours"),
            "share": figure / longest,
            "text": (f"{figure:,.1f}" if measure == "latency" else f"{figure:,.0f}") if figure else "no result",
        }
        for standing, figure in figures
    ]


def _figure(standing: Standing) -> float:
    return (standing.wait(50) if standing.measure == "latency" else standing.value) or 0.0
