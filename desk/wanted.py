"""Which messages a page means: a filter of names and ids alone, which may stand in an address and in a table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from db.connection import Connection
from desk import messages
from desk.messages import Filter
from errors import Refused


@dataclass(frozen=True)
class Wanted:
    """What is empty does not matter."""

    queue: str = ""
    state: str = ""
    actor: str = ""
    failure: str = ""  # a kind's fingerprint
    about: str = ""  # name=id, of what they were given; or trace=id
    since: str = ""  # ISO times of the last change
    before: str = ""

    @classmethod
    def kept(cls, said: Mapping[str, str]) -> "Wanted":
        return cls(**said)

    def said(self) -> dict[str, str]:
        return asdict(self)

    def filter(self, conn: Connection) -> Filter:
        """The filter.

        Raises:
            Refused: no state, failure or id is called so.
        """
        if self.state and self.state not in messages.STATES:
            raise Refused("There is no state %(state)r.", state=self.state)
        failed = messages.kind(conn, self.failure) if self.failure else None
        return Filter(
            state=self.state or None,
            queue=self.queue or None,
            actor=failed.actor or "" if failed else self.actor or None,
            kind=failed.kind if failed else None,
            since=_moment(self.since),
            before=_moment(self.before),
            **_about(self.about),
        )


def _moment(given: str) -> datetime | None:
    try:
        return datetime.fromisoformat(given).astimezone(UTC) if given else None
    except (OverflowError, ValueError):
        raise Refused("%(given)r is no time.", given=given) from None


def _about(given: str) -> dict[str, Any]:
    """The part of the filter: an argument, or the trace that a message is part of."""
    if not given:
        return {}
    name, _equals, id_ = given.partition("=")
    try:
        id_ = str(UUID(id_.strip()))
    except ValueError:
        raise Refused(
            "Messages are found by an id that they were given, such as appointment_id=3f2b6c1e-…; whoever has an "
            "address or a name is found among the people."
        ) from None
    return {"trace": id_.replace("-", "")} if name.strip() == "trace" else {"arguments": {name.strip(): id_}}
