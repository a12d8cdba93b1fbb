"""How a process starts: without what only some of its work needs."""

import subprocess
import sys

import pytest

import settings

LATE = {
    "fontTools",
    "fpdf",
    "fsspec",
    "icalendar",
    "requests",
    "sendgrid",
    "uharfbuzz",
    "yookassa",
}  # half of a second, together


@pytest.mark.parametrize("process", ["actors", "scheduler", "web.server"])
def test_a_process_starts_without_what_only_some_of_its_work_needs(process: str) -> None:
    look = f"import {process}, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", look], cwd=settings.ROOT, text=True).split()
    assert process in loaded
    assert not LATE.intersection(loaded)
