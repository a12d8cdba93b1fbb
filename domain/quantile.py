"""What a histogram says of the middle and of the slow."""

from collections.abc import Sequence
from itertools import accumulate


def quantile(share: float, buckets: Sequence[int], bounds: Sequence[float]) -> float | None:
    """The value below which that share of what was counted lies, about; None where nothing was.

    buckets: how many there are below each of `bounds`, which ascend, and in a last one how many above all; in a bucket
    they are taken to lie evenly, above all bounds at the last.
    """
    wanted = share * sum(buckets)
    if not wanted:
        return None
    for place, (count, until) in enumerate(zip(buckets, accumulate(buckets), strict=True)):
        if until >= wanted and place < len(bounds):
            below = bounds[place - 1] if place else 0.0
            return round(below + (bounds[place] - below) * (count - (until - wanted)) / count, 3)
    return bounds[-1]
