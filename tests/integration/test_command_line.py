"""The command itself: help that costs nothing and needs no settings, and the file that needs no installation."""

import importlib
import os
import pkgutil
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

import cli
import commands
import settings

MOST_SECONDS = 0.4  # of CPU, for help: it takes 0.1; importing the settings alone takes 0.3, a command 1
WRONG = {"TIME_ZONE": "Moscow", "EMAIL_PROVIDER": "pigeon"}
HELP = [[name, "--help"] for name in cli.COMMANDS] + [["jobs", "history", "-h"], ["payments", "resolve", "--help"]]


def run(command: list[str], environment: dict[str, str], cwd: Path = settings.ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)


def balansity(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "cli", *words], environment)


def test_help_lists_every_command_of_the_package_and_costs_next_to_nothing() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = balansity("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for name in cli.COMMANDS:
        assert f"\n  {name} " in said.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MOST_SECONDS


def test_every_command_that_the_package_has_is_found_by_its_name() -> None:
    modules = [importlib.import_module(f"commands.{each.name}") for each in pkgutil.iter_modules(commands.__path__)]
    found = [member for module in modules for member in vars(module).values() if isinstance(member, click.Command)]
    parts = [part for group in found if isinstance(group, click.Group) for part in group.commands.values()]
    assert {each.name for each in found if each not in parts} == set(cli.COMMANDS)
    for name in cli.COMMANDS:
        assert cli.imported(name).name == name


def test_help_needs_no_settings() -> None:
    """In one fresh process, for here everything is imported already."""
    calls = f"[CliRunner().invoke(cli.main, words).exit_code for words in {[['--help'], ['--version'], *HELP]}]"
    said = run([sys.executable, "-c", f"import cli; from click.testing import CliRunner; print({calls})"], WRONG)
    assert (said.stdout, said.stderr) == (f"{[0] * (len(HELP) + 2)}\n", "")


def test_a_command_that_needs_settings_names_what_is_wrong_in_one_line_each() -> None:
    for words in (["status"], ["payments"], ["jobs", "list"]):
        said = balansity(*words, **WRONG)
        assert said.returncode == 1
        assert said.stderr.splitlines()[0] == "Error: Wrong settings, see .env.example:"
        assert len(said.stderr.splitlines()) == 3


def test_a_worker_with_wrong_settings_does_not_start_and_says_why() -> None:
    dramatiq = str(Path(sys.executable).parent / "dramatiq")
    said = run([dramatiq, "actors", "--processes", "1", "--threads", "1"], WRONG)
    assert said.returncode != 0
    assert "TIME_ZONE: 'Moscow' must be an IANA time zone" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("called", ["as it is", "by a link"])
def test_the_file_works_from_any_folder_where_the_project_is_not_installed(tmp_path: Path, called: str) -> None:
    """Only the interpreter and what the requirements bring are on the path: -S leaves out what an installation adds."""
    file = settings.ROOT / "bin" / "balansity"
    if called == "by a link":
        (tmp_path / "balansity").symlink_to(file)
        file = tmp_path / "balansity"
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    said = run([sys.executable, "-S", str(file), "payments", "--help"], {"PYTHONPATH": packages}, cwd=tmp_path)
    assert (said.returncode, said.stdout.startswith("Usage: balansity payments")) == (0, True), said.stderr
    assert os.access(file, os.X_OK)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands_without_importing_them(shell: str) -> None:
    assert "_BALANSITY_COMPLETE" in balansity(_BALANSITY_COMPLETE=f"{shell}_source").stdout
    said = balansity(_BALANSITY_COMPLETE=f"{shell}_complete", COMP_WORDS="balansity st", COMP_CWORD="1", **WRONG).stdout
    if shell != "fish":
        assert {"stats", "status"} <= set(said.replace(",", "\n").splitlines())
