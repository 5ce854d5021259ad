"""The scales of a plane of cost and score: cost is logarithmic, the score is linear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from capability_router.drawing.svg import ticks

Label = tuple[float, float, float]
"""A drawn name: its left end, its baseline, its length."""
_LINE = 12.0  # from one line of names to the next, user units


class Scales(NamedTuple):
    """The edges of the plane in user units, decadic logarithms of the least and the greatest cost, marks of the
    score.
    """

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    marks: list[float]

    def x(self, usd: float) -> float:
        """The x of this cost; zero cost is at the left edge."""
        share = (math.log10(usd) - self.low) / (self.high - self.low) if usd > 0.0 else 0.0
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def y(self, score: float) -> float:
        """The y of this score."""
        share = (score - self.marks[0]) / (self.marks[-1] - self.marks[0])
        return self.bottom - (self.bottom - self.top) * min(max(share, 0.0), 1.0)


def decades(usd: Sequence[float], room: float) -> tuple[float, float]:
    """Decadic logarithms of the least and the greatest of these costs, with some room around them."""
    known = [math.log10(each) for each in usd if each > 0.0] or [0.0]
    return min(known) - room, max(known) + room


def score_marks(lows: Sequence[float], highs: Sequence[float], span: float) -> list[float]:
    """Round values from below the lowest to above the highest; `span` sets their distance."""
    step = ticks(span)[1]
    first = math.floor(min(lows) / step)
    return [step * i for i in range(first, max(math.ceil(max(highs) / step), first + 1) + 1)]


def is_clear(x: float, y: float, long: float, taken: Sequence[Label]) -> bool:
    """Whether a name there would cover none of these."""
    return all(abs(y - other) >= _LINE or x > left + wide or left > x + long for left, other, wide in taken)
