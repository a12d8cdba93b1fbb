"""What is released is frozen, a release is made of a commit alone, and clones find it in their history."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest
import yoyo

from db import releases
from db.migrate import BROKER, CLINIC, MIGRATIONS
from db.releasing import release
from errors import BalansityError
from tests.faults.released import checked_out

FILES = {
    "cli.py": 'VERSION = "0.1.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## [0.1.0] - 2026-11-27\n",
    "db/migrations/broker/001_begin.py": "steps = []\n",
    "db/migrations/broker/070_end.sql": "SELECT 70;\n",
    "db/migrations/broker/post-apply.sql": "SELECT 'each time';\n",
    "db/migrations/clinic/060_end.sql": "SELECT 60;\n",
}
RELEASED = ["broker/001_begin.py", "broker/070_end.sql", "clinic/060_end.sql"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of this kind, ready for its first release."""
    root = tmp_path / "clone"
    root.mkdir()
    git(root, "init", "--quiet")
    commit(root, FILES)
    return root


def git(root: Path, *arguments: str) -> str:
    named = ["-c", "user.name=Vera", "-c", "user.email=vera@clinic.example"]
    return subprocess.run(["git", *named, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "A step")


def released(root: Path) -> releases.Release:
    """A release, and the commit after it that has the note."""
    made = release(root)
    commit(root, {})
    return made


def broken(root: Path) -> list[str]:
    last = releases.last(root / "db")
    return list(releases.breaches(last, root / "db" / "migrations")) if last else []


def test_released_migrations_are_as_they_were() -> None:
    if last := releases.last():
        assert "\n".join(releases.breaches(last, MIGRATIONS)) == ""


def test_every_migration_is_among_those_that_a_release_freezes() -> None:
    """As yoyo reads them."""
    read = [Path(each.path) for folder, _ in (BROKER, CLINIC) for each in yoyo.read_migrations(str(folder))]
    assert releases.digests(MIGRATIONS).keys() == {f"{path.parent.name}/{path.name}" for path in read}


def test_a_release_is_the_last_commit_with_all_its_migrations(clone: Path) -> None:
    head = git(clone, "rev-parse", "HEAD").strip()
    made = released(clone)
    assert (made.version, made.commit, list(made.migrations)) == ("0.1.0", head, RELEASED)
    assert releases.last(clone / "db") == made
    assert made.migrations["broker/070_end.sql"] == hashlib.sha256(b"SELECT 70;\n").hexdigest()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"db/migrations/broker/070_end.sql": "SELECT 71;\n"},
            "070_end.sql is no longer what 0.1.0 was",
        ),
        ({"db/migrations/broker/001_begin.py": "steps = [1]\n"}, "-- db/migrations/broker/001_begin.py), and put what"),
        (
            {"db/migrations/clinic/059_late.sql": "SELECT;\n"},
            "059_late.sql would come before clinic/060_end.sql",
        ),
    ],
)
def test_what_is_done_to_released_migrations_is_named_with_the_remedy(
    clone: Path, files: dict[str, str], sentence: str
) -> None:
    released(clone)
    commit(clone, files | {"cli.py": 'VERSION = "0.2.0"\n', "CHANGELOG.md": "## [0.2.0] - 2026-12-27\n"})
    [told] = broken(clone)
    assert sentence in told
    with pytest.raises(BalansityError, match=re.escape(told)):
        release(clone)


def test_a_released_migration_that_was_removed_is_missed(clone: Path) -> None:
    released(clone)
    (clone / "db/migrations/clinic/060_end.sql").unlink()
    assert len(broken(clone)) == 1


def test_what_is_added_behind_and_what_runs_each_time_is_free(clone: Path) -> None:
    released(clone)
    commit(
        clone,
        {
            "db/migrations/broker/071_more.sql": "SELECT;\n",
            "db/migrations/clinic/061_more.sql": "SELECT;\n",
            "db/migrations/broker/post-apply.sql": "SELECT 'something else';\n",
            "cli.py": 'VERSION = "0.10.0"\n',
            "CHANGELOG.md": "## [0.10.0] - 2026-12-27\n",
        },
    )
    assert broken(clone) == []
    assert list(released(clone).migrations) == sorted([*RELEASED, "broker/071_more.sql", "clinic/061_more.sql"])
    commit(clone, {"cli.py": 'VERSION = "0.9.0"\n', "CHANGELOG.md": "## [0.9.0] - 2026-12-28\n"})
    with pytest.raises(BalansityError, match=r"0\.10\.0 is released .* VERSION in cli\.py is still 0\.9\.0"):
        release(clone)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("README.md", "not committed", r"(?s)made of a commit: .*README\.md"),
        ("CHANGELOG.md", None, r"CHANGELOG\.md has no heading `## \[0\.1\.0\] - DATE`"),
    ],
)
def test_what_cannot_be_released_is_refused_and_nothing_written(
    clone: Path, name: str, text: str | None, sentence: str
) -> None:
    if text:
        (clone / name).write_text(text)
    else:
        commit(clone, {name: "## [Unreleased]\n"})
    with pytest.raises(BalansityError, match=sentence):
        release(clone)
    assert releases.last(clone / "db") is None


def test_no_version_is_released_twice(clone: Path) -> None:
    made = released(clone)
    with pytest.raises(BalansityError, match=f"0.1.0 is released .{made.commit}.: VERSION in cli.py is still 0.1.0"):
        release(clone)


def test_outside_a_clone_nothing_is_released(tmp_path: Path) -> None:
    with pytest.raises(BalansityError, match=r"A release is made in a clone: .*not a git repository"):
        release(tmp_path)


def test_a_release_is_found_in_the_history_of_a_clone(clone: Path, tmp_path: Path) -> None:
    made = released(clone)
    commit(clone, {"cli.py": 'VERSION = "0.2.0"\n'})
    older = checked_out(made, tmp_path / "older", clone)
    assert (older / "cli.py").read_text() == FILES["cli.py"]
    assert not (older / "db" / "released.json").exists()
    assert checked_out(None, tmp_path / "none", clone) == clone


def test_a_shallow_clone_is_told_how_to_get_it(clone: Path, tmp_path: Path) -> None:
    made = released(clone)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{clone}", "shallow")
    with pytest.raises(AssertionError, match=f"0.1.0 is {made.commit}.*`git fetch --unshallow`"):
        checked_out(made, tmp_path / "older", tmp_path / "shallow")
