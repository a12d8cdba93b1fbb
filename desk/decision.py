"""A person's decision: who takes it, by which face, and why; the operators' log keeps it."""

from dataclasses import dataclass

from db import queries
from db.connection import Connection
from errors import Refused


@dataclass(frozen=True)
class Decision:
    """What is asked of whoever acts; `reason` may quote a person, and stands in no other log."""

    who: str
    via: str  # shell or page
    reason: str
    form: str | None = None  # of a page: the id of the form, so that two clicks on it are one decision

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise Refused("Give a reason: it is kept with your name.")


def record(conn: Connection, decision: Decision, action: str, target: str = "", count: int | None = None) -> bool:
    """Note an action in the transaction that does it: the one place that every action of the desk passes.

    `target` names what it is about by ids, queues or jobs, never by a person's data; `count` says of how many.
    Gives whether it is new: of a form that has been sent before nothing is noted, and nothing is to be done.
    """
    return bool(
        queries.operators.record(
            conn,
            who=decision.who,
            via=decision.via,
            action=action,
            target=target,
            count=count,
            reason=decision.reason.strip(),
            form=decision.form,
        )
    )


def is_done(conn: Connection, decision: Decision) -> bool:
    """Whether the form that sends it did so before: a second click finds nothing left to do."""
    return bool(queries.operators.is_done(conn, form=decision.form))
