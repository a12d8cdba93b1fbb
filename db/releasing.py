"""Makes a release of what is committed: notes its version, its commit and its migrations. `make release` calls it."""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from db import releases
from db.releases import Release
from errors import BalansityError

VERSION = re.compile(r'^VERSION = "(\d+\.\d+\.\d+)"$', re.MULTILINE)  # in cli.py


def release(root: Path) -> Release:
    """Release the last commit of the clone at `root`; the note of it is for the next one.

    Raises:
        BalansityError: this is no state to release, or is one already; nothing is written then.
    """
    if changed := _git(root, "status", "--porcelain"):
        raise BalansityError(f"A release is made of a commit: commit these, or take them back.\n{changed}")
    [version] = VERSION.findall((root / "cli.py").read_text(encoding="utf-8"))
    migrations = root / "db" / "migrations"
    before = releases.last(root / "db")
    if before and _number(version) <= _number(before.version):
        raise BalansityError(f"{before.version} is released ({before.commit}): VERSION in cli.py is still {version}.")
    if before and (broken := list(releases.breaches(before, migrations))):
        raise BalansityError("\n".join(broken))
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE):
        raise BalansityError(f"CHANGELOG.md has no heading `## [{version}] - DATE`: give it to what is Unreleased.")
    made = Release(version, _git(root, "rev-parse", "HEAD"), releases.digests(migrations))
    note = json.dumps(asdict(made), indent=2) + "\n"
    (root / "db" / releases.NOTE).write_text(note, encoding="utf-8")
    return made


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    if done.returncode:
        raise BalansityError(f"A release is made in a clone: {done.stderr.strip()}")
    return done.stdout.rstrip()


def _number(version: str) -> list[int]:
    return list(map(int, version.split(".")))


def main() -> None:
    try:
        made = release(Path(__file__).parent.parent)
    except BalansityError as error:
        sys.exit(str(error))
    sys.stdout.write(f"db/{releases.NOTE} says that {made.version} is {made.commit}: commit it.\n")


if __name__ == "__main__":
    main()
