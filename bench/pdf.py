"""Reports per second on one core beside fpdf2 used naively and with names of other scripts; memory over ten thousand.

python -m bench.pdf [--json]
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import fpdf
from rich.console import Console
from rich.progress import track

from reports.canvas import Canvas
from reports.font import FAMILY, FILES
from reports.pdf import draw, render_pdf
from reports.report import Report
from reports.scoring import SCALES, Answer, score
from reports.text import TITLES

NAIVE, SHARED, MEMORY = 50, 1000, 10_000  # reports made by each measurement
SCRIPTS = {
    "georgian": "გიორგი შევარდნაძე",
    "arabic": "محمد عبد الرحمن",
    "chinese": "欧阳小明",
    "devanagari": "श्रीकृष्ण क्षत्रिय",
}
console = Console(stderr=True)


class NaiveCanvas(Canvas):
    """The same drawing with fpdf2's own fonts: parsed, subset and compressed for every document."""

    def add_page(self, *args: Any, **kwargs: Any) -> None:
        if not self.page:
            self.fonts.clear()
            for style, path in FILES.items():
                self.add_font(FAMILY, style, path)
        super().add_page(*args, **kwargs)

    def contents(self) -> bytes:
        return bytes(self.output())


def render_naively(report: Report) -> bytes:
    canvas = NaiveCanvas(TITLES[report.assessment_type], report.answered_on)
    draw(canvas, report)
    return canvas.contents()


def family(number: int) -> Report:
    """A check-up that differs from the next one in its name and its answers."""
    questions = {number: kind for scale in SCALES["checkup"] for number, kind in scale.questions.items()}
    answers = [Answer(question, kind, (question + number) % 5) for question, kind in questions.items()]
    name = "Мария Петрова" if number % 2 else f"Александр Константинопольский {number}"
    return Report(
        UUID(int=number), "checkup", name, date(2018, 4, 2), date(2026, 11, 23), score("checkup", {}, answers)
    )


def named(name: str) -> Callable[[Report], bytes]:
    """Renders reports whose names are this one and a number, so that none is remembered."""
    return lambda report: render_pdf(replace(report, person=f"{name} {report.assessment_id.int}"))


def rate(render: Callable[[Report], bytes], count: int, name: str) -> float:
    """Reports per second of CPU time, after one to warm up."""
    render(family(0))
    started = time.process_time()
    for number in track(range(count), name, console=console):
        render(family(number))
    return count / (time.process_time() - started)


def memory_growth() -> float:
    """By how many MB the highest memory use rises from the first thousand reports to the last."""
    for number in range(1000):
        render_pdf(family(number))
    first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in track(range(MEMORY), "memory", console=console):
        render_pdf(family(number))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first) / 1024


def main() -> None:
    growth = memory_growth()
    shared, naive = rate(render_pdf, SHARED, "shared font"), rate(render_naively, NAIVE, "naive")
    scripts = {script: rate(named(name), SHARED // 2, script) for script, name in SCRIPTS.items()}
    figures = {
        "fpdf2": fpdf.FPDF_VERSION,
        "reports_per_second_per_core": round(shared, 1),
        "naive_reports_per_second_per_core": round(naive, 1),
        **{f"{script}_reports_per_second_per_core": round(speed, 1) for script, speed in scripts.items()},
        "times_faster": round(shared / naive, 1),
        "bytes": len(render_pdf(family(1))),
        "naive_bytes": len(render_naively(family(1))),
        "memory_growth_mb_over_10000": round(growth, 1),
    }
    if "--json" in sys.argv:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{value!s:>10}  {name.replace('_', ' ')}")


if __name__ == "__main__":
    main()
