"""What a payment provider's answer means for a payment of ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.money import Sum

PURPOSE: dict[str, Callable[[str], Any]] = {  # metadata that says whose a payment is and what for; how to compare it
    "user_id": UUID,
    "appointment_id": UUID,
    "package_id": UUID,
    "appointment_type_id": UUID,
    "profile_id": UUID,
    "scheduled_at": datetime.fromisoformat,
}
STATUS_OF = {
    "pending": "pending",
    "waiting_for_capture": "pending",
    "succeeded": "completed",
    "canceled": "failed",
}


@dataclass(frozen=True)
class Verdict:
    """The statuses to take on, one after the other, or the reason why a person must decide."""

    statuses: tuple[str, ...] = ()
    doubt: str | None = None
    halts: bool = False  # nothing may follow, whoever else calls it completed
    paid_at: datetime | None = field(default=None, compare=False)


def disagreement(made_for: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """The first key under which the provider was told of another user, or another purchase, than we have now."""
    for key, read in PURPOSE.items():
        if (told := theirs.get(key)) and _read(read, told) != _read(read, made_for.get(key)):
            return key
    return None


def _read(read: Callable[[str], Any], value: Any) -> Any:
    try:
        return read(str(value))
    except ValueError:
        return value


def judge(ours: Sum, status: str, theirs: Sum, refunded: Decimal = Decimal(0)) -> Verdict:
    """What to do about a payment of `ours` that the provider says has `status` and is worth `theirs`."""
    if (ours.value, ours.currency) != (theirs.value, theirs.currency):
        return Verdict(doubt=f"the provider says {theirs}, we have {ours}")
    if 0 < refunded < theirs.value:
        return Verdict(doubt=f"the provider has given back {refunded:.2f} of {theirs}")
    if status == "succeeded" and refunded:
        return Verdict(("completed", "refunded"))
    return Verdict((STATUS_OF[status],))
