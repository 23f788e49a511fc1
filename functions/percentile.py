"""Percentiles of measured values."""

from collections.abc import Sequence


def percentile[T: (int, float)](ordered: Sequence[T], percent: int) -> T | None:
    """Return the nearest-rank percentile of sorted values: one of them, None if there is none."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]
