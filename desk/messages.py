"""Messages as a person looks for them: where they are, what they are for, how they failed, what they were given."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

from db import queries
from db.connection import Connection
from domain import failures as kinds
from errors import Refused

STATES = ("waiting", "delayed", "set aside", "running", "dead", "cancelled", "done")


@dataclass(frozen=True)
class Filter:
    """Which messages; what is None does not matter. Of an encrypted one, only the readable arguments are seen."""

    state: str | None = None  # one of STATES
    queue: str | None = None
    actor: str | None = None
    kind: str | None = None  # of failure, as dramatiq.kind_of tells it
    since: datetime | None = None  # of the last change
    before: datetime | None = None
    arguments: Mapping[str, Any] | None = None  # these are among its own
    trace: str | None = None  # that they are part of
    low: str | None = None  # ids
    high: str | None = None

    def json(self) -> Json:
        given = {name: value for name, value in vars(self).items() if value is not None}
        return Json({name: str(value) if isinstance(value, datetime) else value for name, value in given.items()})


@dataclass(frozen=True)
class Kind:
    """Of failure: one actor, and one way to fail."""

    actor: str | None
    kind: str

    @property
    def fingerprint(self) -> str:
        """Names the kind in a few letters."""
        return kinds.fingerprint(self.actor, self.kind)


@dataclass(frozen=True)
class Failure(Kind):
    """Messages of one actor that failed in one way."""

    state: str  # dead, or to be tried again
    messages: int
    first_at: datetime
    last_at: datetime
    sample: str  # the id of the latest


def find(conn: Connection, which: Filter, rows: int, after: tuple[datetime, str] | None = None) -> list[dict[str, Any]]:
    """A page of messages, the last changed first, behind the one that changed `after`."""
    until, last = after or (None, None)
    return [
        row._asdict() for row in queries.messages.find(conn, filter=which.json(), until=until, last=last, rows=rows)
    ]


def count(conn: Connection, which: Filter, most: int | None = None) -> int:
    """How many there are, counted up to `most`."""
    return int(queries.messages.count_found(conn, filter=which.json(), most=most))


def failures(conn: Connection, which: Filter) -> list[Failure]:
    """What fails and why, the latest first."""
    return [Failure(**row._asdict()) for row in queries.messages.failures(conn, filter=which.json())]


def kind(conn: Connection, fingerprint: str) -> Kind:
    """The kind of failure that a fingerprint names, or its beginning.

    Raises:
        Refused: none is called so, or several.
    """
    dead = _by_fingerprint(queries.messages.dead_kinds(conn))
    if fingerprint in dead:  # to tell the kinds of all that is tried again takes long in an outage
        return dead[fingerprint]
    every = _by_fingerprint(queries.messages.kinds(conn))
    found = {name: each for name, each in every.items() if name.startswith(fingerprint)}
    if len(found) != 1:
        if found:
            raise Refused(
                "Several kinds of failure are called %(name)r: %(names)s.", name=fingerprint, names=", ".join(found)
            )
        raise Refused(
            "No kind of failure is called %(name)r: `balansity failures` lists those there are.", name=fingerprint
        )
    return next(iter(found.values()))


def _by_fingerprint(rows: Iterable[Any]) -> dict[str, Kind]:
    every = (Kind(row.actor, row.kind) for row in rows)
    return {each.fingerprint: each for each in every}


def whole(conn: Connection, message_id: str) -> dict[str, Any] | None:
    """One message with all that is known of it; None where it is not kept."""
    row = queries.messages.whole(conn, id=message_id)
    if row is None:
        return None
    try:
        said = json.loads(row.message)
    except (RecursionError, ValueError):
        said = row.message
    known: dict[str, Any] = row._asdict()
    return known | {"message": said}
