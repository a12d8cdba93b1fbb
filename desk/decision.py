"""A person's decision: who takes it, by which face, and why."""

from dataclasses import dataclass

from db.connection import Connection
from errors import BalansityError
from log import EventLogger

events = EventLogger(__name__)


@dataclass(frozen=True)
class Decision:
    """What is asked of whoever acts; `reason` may quote a person and stands in no log."""

    who: str
    via: str  # shell or page
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise BalansityError("Give a reason: it is kept with your name.")


def record(_conn: Connection, decision: Decision, action: str, target: str = "") -> None:
    """Note an action in the transaction that does it: the one place that every action of the desk passes.

    `target` names what it is about by ids or jobs, never by a person's data.
    """
    events.info("operator_acted", action=action, target=target, via=decision.via)
