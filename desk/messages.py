"""Messages as a person looks for them: where they are, what they are for, how they failed, what they were given."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg2.extras import Json

from db import queries
from db.connection import Connection
from domain import failures as kinds
from errors import Refused

LOOK = 30_000  # messages that are done, of which a page is looked for at one go
STATES = ("waiting", "in line", "delayed", "set aside", "running", "dead", "cancelled", "done")


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


Place = tuple[datetime, str]  # of a message in the order of change: when it changed last, and its id


class Page(NamedTuple):
    """Some of what a filter finds. Where no index tells what it asks for, it was looked for back to `horizon` alone."""

    rows: list[dict[str, Any]]
    total: int  # of all, or of those back to the horizon
    horizon: datetime | None
    behind: Place | None  # where the next page begins


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


def look(conn: Connection, which: Filter, rows: int, most: int, after: Place | None = None) -> Page:
    """A page of messages, the last changed first, behind `after`; how many there are is counted up to `most`."""
    until, last = after or (None, None)
    row = queries.messages.horizon(conn, filter=which.json(), until=until, last=last, look=LOOK)
    end = (row.changed_at, row.id) if row.id else None
    found = find(conn, which, rows, after, end)
    if end is None:  # all are counted, on whichever page
        until, last = None, None
    start, first = end or (None, None)
    total = queries.messages.count_found(
        conn, filter=which.json(), most=most, until=until, last=last, start=start, first=first
    )
    full = len(found) == rows
    return Page(found, int(total), start, (found[-1]["changed_at"], found[-1]["id"]) if full else end)


def find(
    conn: Connection, which: Filter, rows: int, after: Place | None = None, until: Place | None = None
) -> list[dict[str, Any]]:
    """So many messages, the last changed first: behind `after`, and none behind `until`."""
    (at, last), (start, first) = after or (None, None), until or (None, None)
    found = queries.messages.find(conn, filter=which.json(), until=at, last=last, rows=rows, start=start, first=first)
    return [row._asdict() for row in found]


def count(conn: Connection, which: Filter) -> int:
    """How many there are."""
    everything = dict.fromkeys(("most", "until", "last", "start", "first"))
    return int(queries.messages.count_found(conn, filter=which.json(), **everything))


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
