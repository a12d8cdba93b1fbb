"""What a newcomer tries first: the README's actor as pasted, a file with a mistake in it, a wheel."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import settings
from db.connection import Connection
from tests.waiting import until

LEFT_OUT = shutil.ignore_patterns(".*", "var", "build", "tests", "docs", "__pycache__", "*.egg-info")
BROKEN = "import dramatiq\n\nfrom gateways import post\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(settings.ROOT, tmp_path / "checkout", ignore=LEFT_OUT))


def paste_the_readmes_actor(checkout: Path) -> None:
    text = (checkout / "README.md").read_text(encoding="utf-8")
    [(code, name)] = re.findall(r"```python\n(# (actors/\w+\.py).*?)```", text, re.DOTALL)
    (checkout / name).write_text(code, encoding="utf-8")


def run(checkout: Path, *words: str, database: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DATABASE_URL": database or "postgresql://127.0.0.1:9/none"}
    command = [sys.executable, *words]
    return subprocess.run(command, check=False, cwd=checkout, env=environment, capture_output=True, text=True)


def balansity(checkout: Path, *words: str, database: str = "") -> subprocess.CompletedProcess[str]:
    return run(checkout, "-m", "cli", *words, database=database)


def test_the_readmes_actor_runs_as_it_is_pasted(checkout: Path, database: str, connection: Connection) -> None:
    paste_the_readmes_actor(checkout)
    migrated = balansity(checkout, "migrate", database=database)
    assert migrated.returncode == 0, migrated.stderr
    assert "No line of the Procfile serves thanks: what is sent there waits." in migrated.stdout
    assert "No line of the Procfile serves thanks" in balansity(checkout, "doctor", database=database).stdout
    procfile = checkout / "Procfile"
    procfile.write_text(procfile.read_text(encoding="utf-8").replace("--queues emails", "--queues thanks emails"))
    assert "serves thanks" not in balansity(checkout, "migrate", database=database).stdout
    for user_id in ("u-7", ""):
        sent = run(checkout, "-c", f"from actors.thanks import thank; thank.send({user_id!r})", database=database)
        assert sent.returncode == 0, sent.stderr
    log = checkout / "worker.log"
    command = [sys.executable, "-m", "dramatiq", "actors", "--processes", "1", "--threads", "1"]
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, cwd=checkout, env=os.environ | {"DATABASE_URL": database}, stdout=said, stderr=said
        ) as worker,
    ):
        try:
            until(lambda: "thanked user=u-7" in log.read_text(encoding="utf-8"), log.name)
            until(lambda: _errors(connection) == ["PermanentError: Nobody is named: whom shall we thank?"], log.name)
        finally:
            worker.terminate()


def _errors(connection: Connection) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT error FROM dramatiq.dead_letter WHERE queue_name = 'thanks'")
        return [row[0].strip().splitlines()[-1] for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("thanks", BROKEN, "actors/thanks.py, line 3: ImportError: cannot import name 'post'"),
        ("aaa", "def x(:\n    pass\n", "actors/aaa.py, line 1: SyntaxError: "),
        ("zzz", "import actors.emails\n\n1 / 0\n", "actors/zzz.py, line 3: ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_actor_is_named_where_it_matters_and_stops_nothing_else(
    checkout: Path, database: str, name: str, code: str, said: str
) -> None:
    (checkout / "actors" / f"{name}.py").write_text(code, encoding="utf-8")
    for words in (["status"], ["plan"], ["deliveries"], ["jobs"], ["payments"], ["queues"]):
        other = balansity(checkout, *words, database=database)
        assert other.returncode == 0, other.stderr
    for words in (["migrate"], ["up"]):
        refused = balansity(checkout, *words, database=database)
        assert (refused.returncode, refused.stderr.startswith(f"Error: {said}")) == (1, True), refused.stderr
        assert "Traceback" not in refused.stderr
    assert said in balansity(checkout, "doctor", database=database).stdout
    worker = run(checkout, "-m", "dramatiq", "actors", "--processes", "1", "--threads", "1", database=database)
    assert worker.returncode != 0
    assert said in worker.stderr


@pytest.mark.parametrize("hook", ["build_wheel", "build_sdist"])
def test_a_wheel_or_an_archive_is_refused_in_one_sentence(checkout: Path, tmp_path: Path, hook: str) -> None:
    built = run(checkout, "-c", f"from setuptools import build_meta; build_meta.{hook}({str(tmp_path)!r})")
    assert built.returncode != 0
    assert built.stderr.splitlines()[-1].startswith("Balansity is an application that runs from its checkout: ")
    assert not list(tmp_path.glob("balansity*"))


def test_an_editable_installation_is_made_all_the_same(checkout: Path, tmp_path: Path) -> None:
    made = run(checkout, "-c", f"from setuptools import build_meta; build_meta.build_editable({str(tmp_path)!r})")
    assert made.returncode == 0, made.stderr
    assert [path.suffix for path in tmp_path.glob("balansity*")] == [".whl"]
