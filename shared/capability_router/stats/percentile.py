"""Percentiles by nearest rank: the least value that at least this share of all reach at most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_ROUNDED = 1e-12  # by which a sum of weights may be off


def percentile(values: Iterable[float], share: float) -> float | None:
    """None for no values."""
    return percentiles(values, share)[0]


def percentiles(values: Iterable[float], *shares: float) -> list[float | None]:
    """Several, for one sorting."""
    ranked = sorted(values)
    return [ranked[max(math.ceil(share * len(ranked)), 1) - 1] if ranked else None for share in shares]


def weighted_percentile(parts: Sequence[tuple[float, float]], share: float) -> float | None:
    """Of values of which each has a weight."""
    wanted, so_far = share * sum(weight for _, weight in parts) * (1.0 - _ROUNDED), 0.0
    for value, weight in sorted(parts):
        so_far += weight
        if so_far >= wanted:
            return value
    return None
