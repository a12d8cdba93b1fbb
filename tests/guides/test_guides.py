"""The guides do what they say: every block of every page is run, or checked as far as it goes without root."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import settings
from db import embedded
from db.connection import Connection
from tests.clinic import Clinic
from tests.guides.page import DOCS, GUIDES, Block, blocks, commands, complaints

LEFT_OUT = shutil.ignore_patterns(".*", "var", "build", "__pycache__", "*.egg-info")
PAGES = [settings.ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def named(page: Path) -> str:
    return str(page.relative_to(settings.ROOT))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project, which a guide's reader changes; git's files are not in it."""
    copy = Path(shutil.copytree(settings.ROOT, tmp_path / "checkout", ignore=LEFT_OUT))
    (copy / ".venv").symlink_to(settings.ROOT / ".venv")
    return copy


class Reader:
    """Does what a page says, block by block, in a copy of the project and on a database."""

    def __init__(self, checkout: Path, database: str, connection: Connection) -> None:
        self.checkout = checkout
        self.connection = connection
        self.printed = ""
        path = [str(checkout / "bin"), str(Path(sys.executable).parent), str(embedded.binaries()), os.environ["PATH"]]
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"},
            "DATABASE_URL": database,
            "PATH": os.pathsep.join(path),
            "EMAIL_OUTBOX_DIR": str(checkout / "outbox"),
        }

    def follow(self, block: Block) -> None:
        what, _, about = block.mark.partition(" ")
        match what:
            case "run":
                self.run(block.text, expected=int(about or 0))
            case "file":
                self.write(about, block.text)
            case "sql":
                self.ask(block.text)
            case "output":
                self.compare(block.text)
            case "settings":
                settings.load(dict(line.split("=", 1) for line in block.text.splitlines()))
            case "shape":
                check_shape(block, self.checkout)
            case _:
                pytest.fail(f"Line {block.line}: <!-- {block.mark} --> before a block says nothing to this test.")

    def run(self, script: str, *, expected: int) -> None:
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, check=False, cwd=self.checkout, env=self.environment, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == expected, f"{script}\n{done.stdout}\n{done.stderr}"
        self.printed = done.stdout

    def write(self, name: str, text: str) -> None:
        path = self.checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def ask(self, statements: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statements)
            self.printed = str(cursor.fetchall()) if cursor.description else ""

    def compare(self, text: str) -> None:
        """Each line of a page's output was printed, in that order; … stands for anything, and blanks may be more."""
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        pattern = ".*".join(re.escape(line).replace("…", ".*?").replace(r"\ ", r"\s+") for line in lines)
        assert re.search(pattern, self.printed, re.DOTALL), f"{text}\nis not what was printed:\n{self.printed}"


def check_shape(block: Block, checkout: Path) -> None:
    """What needs another machine is at least well formed."""
    if block.language == "sh":
        subprocess.run(["bash", "-n", "-c", block.text], check=True)
    elif block.language == "ini" and shutil.which("systemd-analyze"):
        check_unit(block.text, checkout)
    else:
        assert block.language in {"ini", "nginx"}, (
            f"Line {block.line}: nothing checks {block.language or 'no language'}"
        )


def check_unit(text: str, checkout: Path) -> None:
    """As `systemd-analyze verify` sees it, where there is one, with the project where the unit says that it lies."""
    if not shutil.which("systemd-analyze"):
        return
    unit = checkout / "balansity-test@.service"
    unit.write_text(text.replace("/srv/balansity", str(checkout)).replace("User=balansity", "User=root"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name.split("@")[0] in line]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_a_guide_does_what_it_says(page: Path, checkout: Path, database: str, connection: Connection) -> None:
    user = Clinic(connection).add_user("anna@example.com")
    Clinic(connection).book(user, datetime.now(UTC) + timedelta(days=2))
    reader = Reader(checkout, database, connection)
    for block in blocks(page):
        reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_page_names_is_there(page: Path) -> None:
    assert [f"{call}: {each}" for call in sorted(commands(page)) for each in complaints(call)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_every_alarm_and_check_has_its_line() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for room in ("checks", "alarms")
        for path in (settings.ROOT / room).glob("*.py")
    )
    told = set(re.findall(r'(?:check=|_finding\()"([a-z-]+)"', sources)) | set(
        re.findall(r'^AWAY = "([a-z-]+)"', sources, re.MULTILINE)
    )
    guide = (DOCS / "guides" / "alarms.md").read_text(encoding="utf-8")
    assert len(told) > 10
    assert not [name for name in told if f"`{name}`" not in guide]
