"""Quantiles of histograms: about right, and never beyond what was counted."""

import random
from bisect import bisect_right

import pytest

from domain.quantile import quantile

BOUNDS = [0.1, 0.5, 1.0, 5.0, 60.0]


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ([0, 0, 0, 0, 0, 0], 0.5, None),
        ([10, 0, 0, 0, 0, 0], 0.5, 0.05),
        ([5, 5, 0, 0, 0, 0], 0.5, 0.1),
        ([0, 0, 0, 4, 0, 0], 0.25, 2.0),
        ([0, 0, 0, 0, 0, 3], 0.5, 60.0),
        ([99, 0, 0, 0, 0, 1], 0.99, 0.1),
    ],
)
def test_a_quantile_lies_in_its_bucket(buckets: list[int], share: float, value: float | None) -> None:
    assert quantile(share, buckets, BOUNDS) == value


def test_it_is_about_the_real_one() -> None:
    chance = random.Random(1)
    values = sorted(chance.uniform(0, 60) for _ in range(10_000))
    bounds = [float(bound) for bound in range(1, 61)]
    buckets = [0] * 61
    for each in values:
        buckets[bisect_right(bounds, each)] += 1
    for share in (0.5, 0.95):
        found = quantile(share, buckets, bounds)
        assert found is not None
        assert abs(found - values[int(share * len(values))]) < 0.5
