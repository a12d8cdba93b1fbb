"""The Dockerfile, as far as it can be seen without Docker: what it copies, who it runs as, what its programs find."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import settings

DOCKERFILE = (settings.ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    (found[1], found[2])
    for found in re.finditer(r"^(FROM|RUN|WORKDIR|COPY|ENV|USER|EXPOSE|CMD) (.+)$", DOCKERFILE, re.MULTILINE)
]
IGNORED = [
    line.removeprefix("**/")
    for line in (settings.ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def arguments(instruction: str) -> list[str]:
    return [argument for name, argument in INSTRUCTIONS if name == instruction]


def ignore(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if any(fnmatch(name, pattern) for pattern in IGNORED)]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What `COPY . .` copies."""
    return Path(shutil.copytree(settings.ROOT, tmp_path / "image", ignore=ignore))


def test_every_line_is_an_instruction_or_a_comment() -> None:
    said = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    assert said == [f"{name} {argument}" for name, argument in INSTRUCTIONS]


def test_its_python_is_one_that_the_project_takes() -> None:
    wanted = tomllib.loads((settings.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    [base] = arguments("FROM")
    offered = re.fullmatch(r"python:(\d+)\.(\d+)-slim", base)
    assert offered
    assert tuple(map(int, offered.groups())) >= tuple(map(int, wanted.removeprefix(">=").split(".")))


def test_it_runs_as_a_user_without_rights_and_hands_signals_on() -> None:
    assert INSTRUCTIONS[-3:] == [("USER", "balansity"), ("EXPOSE", "8000"), ("CMD", '["python", "-m", "web.server"]')]
    assert json.loads(arguments("CMD")[0])


def test_what_it_copies_is_there(image: Path) -> None:
    for copied in arguments("COPY"):
        assert (image / copied.split()[0]).exists(), copied
    assert not list(image.glob(".env*"))
    assert not (image / "tests").exists()


@pytest.mark.parametrize(
    "program",
    [["bin/balansity", "preview", "--help"], ["-c", "import actors, scheduler, web.server; actors.complete()"]],
)
def test_the_processes_find_all_they_need_in_it(image: Path, program: list[str]) -> None:
    done = subprocess.run([sys.executable, *program], check=False, cwd=image, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_each_line_of_the_procfile_is_started_by_the_guide() -> None:
    guide = (settings.ROOT / "docs" / "guides" / "deploying.md").read_text(encoding="utf-8")
    for line in (settings.ROOT / "Procfile").read_text(encoding="utf-8").splitlines():
        name, _, command = line.partition(": ")
        if name not in {"release", "worker-2"}:  # Heroku's own, and a second worker
            assert guide.count(command) >= 2, f"{command} is in the guide for systemd and for Docker"
