"""Imports run one way: from the commands down to the settings, never up and never in a circle."""

import ast
from pathlib import Path

import pytest

import settings

# From the top; a module may import what stands in a lower row, and its own package.
LAYERS = [
    {"cli"},
    {"commands"},
    {"demo"},
    {"procfile", "scheduler", "web"},
    {"actors"},
    {"broker", "mail", "reports"},
    {"messaging", "gateways"},
    {"db"},
    {"domain"},
    {"settings"},
    {"errors", "log"},
]
ROW = {name: row for row, names in enumerate(LAYERS) for name in names}
SOURCES = [path for name in ROW for path in [*settings.ROOT.glob(f"{name}.py"), *settings.ROOT.glob(f"{name}/**/*.py")]]


def package(path: Path) -> str:
    return path.relative_to(settings.ROOT).parts[0].removesuffix(".py")


class AtRunTime(ast.NodeTransformer):
    """Leaves out what only the type checker imports."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else node


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(AtRunTime().visit(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(settings.ROOT)))
def test_a_module_imports_only_from_layers_below(path: Path) -> None:
    own = package(path)
    upward = {name for name in imported(path) & ROW.keys() if name != own and ROW[name] <= ROW[own]}
    assert not upward, f"{path.name} imports {sorted(upward)} from its own layer or a higher one"


def test_every_source_file_has_a_layer() -> None:
    tracked = {package(path) for path in settings.ROOT.glob("*.py")} | {
        path.parent.name for path in settings.ROOT.glob("*/__init__.py")
    }
    assert tracked - {"bench", "tests"} <= ROW.keys()
