"""What a provider's answer means is plain arithmetic and one small table."""

from decimal import Decimal

import pytest

from domain.money import Sum
from domain.payments import Verdict, judge

OURS = Sum(Decimal("5000.00"), "RUB")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("succeeded", "completed"),
        ("canceled", "failed"),
        ("pending", "pending"),
        ("waiting_for_capture", "pending"),
    ],
)
def test_the_providers_status_has_one_of_ours(theirs: str, ours: str) -> None:
    assert judge(OURS, theirs, Sum(Decimal(5000), "RUB")) == Verdict((ours,))


@pytest.mark.parametrize("theirs", [Sum(Decimal("4999.99"), "RUB"), Sum(Decimal("5000.00"), "USD")])
@pytest.mark.parametrize("status", ["succeeded", "canceled", "pending"])
def test_other_money_is_for_a_person_to_judge(theirs: Sum, status: str) -> None:
    assert judge(OURS, status, theirs) == Verdict(doubt=f"the provider says {theirs}, we have 5000.00 RUB")


def test_money_given_back_was_taken_first() -> None:
    assert judge(OURS, "succeeded", OURS, refunded=Decimal(5000)) == Verdict(("completed", "refunded"))
    assert judge(OURS, "succeeded", OURS, refunded=Decimal(0)) == Verdict(("completed",))


def test_money_given_back_in_part_is_for_a_person_to_judge() -> None:
    doubt = "the provider has given back 100.00 of 5000.00 RUB"
    assert judge(OURS, "succeeded", OURS, refunded=Decimal(100)) == Verdict(doubt=doubt)
