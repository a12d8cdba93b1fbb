"""The walls of the house: imports run one way, from the commands down to the settings, and some rooms are closed.

What only the type checker imports counts, and so does what a function imports.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings

# From the top; a module may import what stands in a lower row, and its own room.
LAYERS = [
    {"cli"},
    {"commands"},
    {"demo"},
    {"procfile", "web"},
    {"desk"},
    {"scheduler"},
    {"alarms", "presence"},
    {"checks"},
    {"actors"},
    {"broker", "mail", "reports"},
    {"messaging", "gateways"},
    {"db"},
    {"domain"},
    {"settings"},
    {"values"},
    {"errors", "log", "translations", "zones"},
    {"address", "discretion"},
]
ROW = {name: row for row, names in enumerate(LAYERS) for name in names}

# All that some rooms may import of this project, their own modules aside.
CLOSED = {
    # Another application can have the broker without the clinic.
    "messaging": {"db.batches", "db.binary", "db.connection", "db.queries", "db.text", "db.trouble", "errors", "log"},
    # The way out knows no business: what crosses the border are values of its own, and shapes of input.
    "gateways": {"db", "domain.money", "domain.payload", "errors", "log", "settings"},
    "domain": {"errors"},
    "db.batches": {"db.connection", "db.queries", "db.trouble", "errors", "log"},
    "db.connection": {"address", "db.session", "db.trouble", "errors"},
    "db.session": set(),
    "db.trouble": {"log"},
    "db.comparison": {"db.connection", "db.queries"},
    "db.coming_over": {"db.batches", "db.connection", "db.queries"},
    "db.ledger_months": {"db.batches", "db.coming_over", "db.connection", "db.patience", "db.queries", "errors"},
    "db.applied": {"db.connection", "db.patience", "db.queries", "db.releases"},
    "db.bringing_over": {
        "db.applied",
        "db.coming_over",
        "db.comparison",
        "db.connection",
        "db.ledger_months",
        "db.patience",
        "db.queries",
        "db.releases",
    },
    "db.migrate": {
        "address",
        "db.applied",
        "db.bringing_over",
        "db.comparison",
        "db.connection",
        "db.mending",
        "db.patience",
        "db.queries",
        "db.releases",
        "db.turn",
        "errors",
        "log",
    },
    "db.mending": {"address", "db.comparison", "db.connection", "db.patience", "db.queries", "errors", "log"},
    "db.patience": {"address", "db.connection", "db.queries", "errors", "log"},
    "db.releases": set(),
    "db.turn": {"db.connection", "db.patience", "db.queries", "errors", "log"},
    "db.queries": {"db.hidden"},
    "db.hidden": {"db.binary", "db.text"},
    "db.binary": set(),
    "db.text": set(),
}
ABOVE_THE_BROKER = {"messaging.broker", "messaging.relayed", "messaging.testing"}
FACES = {"click", "flask"}
FACELESS = {
    *("actors", "alarms", "broker", "checks", "db", "desk", "domain", "gateways", "mail", "messaging", "reports"),
    "presence",
    "scheduler",
}

SOURCES = sorted(
    path for name in ROW for pattern in (f"{name}.py", f"{name}/**/*.py") for path in settings.ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(settings.ROOT)))
def test_a_module_keeps_the_walls(path: Path) -> None:
    assert not list(breaches(module_of(path), path.read_text(encoding="utf-8")))


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {module_of(path): imported(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}
    graphlib.TopologicalSorter(imports).prepare()


def test_every_source_file_has_a_layer() -> None:
    tracked = {path.stem for path in settings.ROOT.glob("*.py")} | {
        path.parent.name for path in settings.ROOT.glob("*/__init__.py")
    }
    assert tracked - {"bench", "setup", "tests"} <= ROW.keys()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mail.letter", "from actors.emails import send_email"),
        ("mail.letter", "import reports.text"),
        ("messaging.consumer", "import settings"),
        ("messaging.pulse", "from db import database"),
        ("messaging.pulse", "from db.database import pool"),
        ("messaging.routes", "from domain.slots import Slot"),
        ("messaging.pulse", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from broker import broker"),
        ("messaging.pulse", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import messaging.broker"),
        ("messaging.pulse", "from messaging import broker"),
        ("messaging.claims", "def before_process_message(self, broker, message): broker.pulse.lapsed()"),
        ("gateways.yookassa", "from mail.order import MailOrder"),
        ("gateways.yookassa", "from domain.payments import judge"),
        ("gateways.mail.smtp", "def send(mail):\n    from reports import pdf"),
        ("db.connection", "import settings"),
        ("db.migrate", "from db.database import url"),
        ("domain.slots", "import settings"),
        ("reports.pdf", "from flask import Flask"),
        ("mail.delivery", "import click"),
    ],
)
def test_a_broken_wall_is_noticed(module: str, source: str) -> None:
    assert list(breaches(module, source))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(settings.ROOT).with_suffix("").parts).removesuffix(".__init__")


def breaches(module: str, source: str) -> Iterator[str]:
    """What a module's source does against the walls."""
    tree, room = ast.parse(source), module.split(".", maxsplit=1)[0]
    for name in sorted(imported(tree)):
        target = name.split(".")[0]
        if target in ROW and target != room and ROW[target] <= ROW[room]:
            yield f"{module} imports {name} from its own layer or a higher one"
        for closed, allowed in CLOSED.items():
            own = within(name, {closed})
            if target in ROW and within(module, {closed}) and not own and not within(name, allowed):
                yield f"{module} imports {name}: {closed} may import {sorted(allowed)} only"
        if target in FACES and room in FACELESS:
            yield f"{module} imports {name}: only web and commands have a face"
    if room == "messaging" and module not in ABOVE_THE_BROKER:
        yield from (f"{module} imports {name}" for name in imported(tree) if within(name, {"messaging.broker"}))
        if any(takes_broker(each) for each in ast.walk(tree)):
            yield f"{module} reaches into the broker that it was handed"


def imported(tree: ast.AST) -> set[str]:
    """The modules that a source imports; of a package's names, those that are modules of this project."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {each for each in modules if is_module(each)} or {node.module}
    return names


def is_module(name: str) -> bool:
    path = settings.ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def takes_broker(node: ast.AST) -> bool:
    """Whether an expression reaches into a broker that was handed in, under the name that Dramatiq's hooks give it."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id.endswith("broker")
