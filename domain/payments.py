"""What a payment provider's answer means for a payment of ours."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from domain.money import Sum

STATUS_OF = {
    "pending": "processing",
    "waiting_for_capture": "processing",
    "succeeded": "completed",
    "canceled": "failed",
}


@dataclass(frozen=True)
class Verdict:
    """The statuses to take on, one after the other, or the reason why a person must decide."""

    statuses: tuple[str, ...] = ()
    doubt: str | None = None
    paid_at: datetime | None = field(default=None, compare=False)


def judge(ours: Sum, status: str, theirs: Sum, refunded: Decimal = Decimal(0)) -> Verdict:
    """What to do about a payment of `ours` that the provider says has `status` and is worth `theirs`."""
    if (ours.value, ours.currency) != (theirs.value, theirs.currency):
        return Verdict(doubt=f"the provider says {theirs}, we have {ours}")
    if 0 < refunded < theirs.value:
        return Verdict(doubt=f"the provider has given back {refunded:.2f} of {theirs}")
    if status == "succeeded" and refunded:
        return Verdict(("completed", "refunded"))
    return Verdict((STATUS_OF[status],))
