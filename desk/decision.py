"""A person's decision: who takes it, by which face, and why; the operators' log keeps it."""

from dataclasses import dataclass, replace

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


def record(conn: Connection, decision: Decision, action: str, target: str = "", count: int | None = None) -> None:
    """Note an action in the transaction that does it: the one place that every action of the desk passes.

    `target` names what it is about by ids, queues or jobs, never by a person's data; `count` says of how many.
    """
    _note(conn, replace(decision, form=None), action, target, count)


def record_once(conn: Connection, decision: Decision, action: str, target: str) -> bool:
    """The same before anything is done: whether it is to be done, or has been by the same form.

    Whoever sends that form meanwhile waits here for the end of the transaction that does it.
    """
    return _note(conn, decision, action, target)


def _note(conn: Connection, decision: Decision, action: str, target: str, count: int | None = None) -> bool:
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
