"""What holds for every run of the tests: which are fast, which may skip, and where random choices come from."""

import os
import random
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

UNITS = Path(__file__).parent / "unit"
LONGEST_FIRST = (
    "faults",
    "browser",
    "guides",
    "integration",
    "tiny",
    "unit",
)  # folders: whoever is done last had a short test
NEEDS_PACKAGE = "needs Debian's package"  # how a skip's reason begins that `make test-packages` would end
MAY_SKIP = (
    "the whole suite runs on it",
    "the server keeps its log elsewhere",
    *([] if os.environ.get("CI") else [NEEDS_PACKAGE]),
)
SEED = "--hypothesis-seed"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """One seed for all random choices of a run, workers of a parallel run included."""
    if config.getoption(SEED) is None:
        lent = getattr(config, "workerinput", {})
        config.option.hypothesis_seed = lent.get("seed") or str(random.randrange(2**32))


def pytest_configure_node(node: Any) -> None:
    node.workerinput["seed"] = node.config.getoption(SEED)


@pytest.fixture
def chance(pytestconfig: pytest.Config) -> random.Random:
    """Random choices that the run's seed repeats."""
    return random.Random(int(pytestconfig.getoption(SEED)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.stats.keys() & {"failed", "error"}:
        seed = terminalreporter.config.getoption(SEED)
        terminalreporter.write_line(f"The same random choices once more: pytest {SEED}={seed} …")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as fast what is a unit or is rolled back, by what it asks for; begin with the longest."""
    for item in items:
        if item.path.is_relative_to(UNITS) or is_undone(item):
            item.add_marker(pytest.mark.fast)
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.parent.name))


def is_undone(item: pytest.Item) -> bool:
    wants = set(getattr(item, "fixturenames", ()))
    rolls_back = "undone" in wants or (item.get_closest_marker("undone") is not None and "clinic" in wants)
    return rolls_back and "database" not in wants


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips for a reason that is not on the list has failed."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"It may not skip: {reason}"
    return report
