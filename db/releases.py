"""What the last release was: its commit, and its migrations, which never change again."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

NOTE = "released.json"  # beside the folder of migrations
REPEATED = "post-apply"  # how files begin that run with each migrate, and may change


@dataclass(frozen=True)
class Release:
    """A version, the commit that has it, and the SHA-256 of each of its migrations by folder and file."""

    version: str
    commit: str
    migrations: Mapping[str, str]


def last(folder: Path = Path(__file__).parent) -> Release | None:
    """The release that the note in a folder tells of; none before the first."""
    note = folder / NOTE
    return Release(**json.loads(note.read_text(encoding="utf-8"))) if note.exists() else None


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def digests(migrations: Path) -> dict[str, str]:
    """The SHA-256 of each migration in the folders of this one, in order."""
    files = sorted(path for kind in ("sql", "py") for path in migrations.glob(f"*/*.{kind}"))
    return {_place(file): digest(file) for file in files if not file.name.startswith(REPEATED)}


def breaches(release: Release, migrations: Path) -> Iterator[str]:
    """What was done to released migrations, as sentences with the remedy."""
    present = digests(migrations)
    for place, its_digest in release.migrations.items():
        if present.get(place) != its_digest:
            yield f"{place} is no longer what {_remedy(release, place)}"
    for place in sorted(present.keys() - release.migrations.keys()):
        folder = place.partition("/")[0]
        if place < (newest := max((each for each in release.migrations if each.startswith(f"{folder}/")), default="")):
            yield (
                f"{place} would come before {newest}, which databases have since {release.version}: give it a higher "
                "number."
            )


def told_apart(file: Path, its_digest: str) -> str:
    """Why a database that has a migration with this digest has not this file's, and what to do."""
    released, place = last(file.parent.parent.parent), _place(file)
    if released and released.migrations.get(place) == its_digest:
        return f"has {file.stem} as it was released, and {place} is no longer what {_remedy(released, place)}"
    return never_had(file.stem)


def never_had(name: str) -> str:
    """The same, where no release had what the database has."""
    return (
        f"was made by an earlier {name}, which no release had, and there is no way from there. Make the database anew, "
        "or restore into a new one what the site keeps in schema public."
    )


def _remedy(release: Release, place: str) -> str:
    return (
        f"{release.version} was released with. Take it back (git checkout {release.commit} -- db/migrations/{place}), "
        "and put what shall be otherwise into a new migration."
    )


def _place(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
