"""Detects that a tenant's requests move away from those that were learned from: less similar, or of other
difficulty.

Each tenant is compared with itself since the last fit, by a running sum of surprises. So a tenant that was always
different is not reported. A tenant that becomes different, by intent or not, is reported.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from capability_router.concurrency.latch import Latch
from capability_router.learning.quality.levels import Level
from capability_router.learning.tenants import hashed

KEPT = 1_000
_SPREAD = 0.02  # variance of both at first


class RequestPosition(NamedTuple):
    """A request's position: predicted effect on all models' quality; similarity, 0 to 1, to the nearest remembered
    one.
    """

    effect: float
    likeness: float


class Drift:
    """The 1,000 tenants seen last; thread-safe. All start anew after another fit."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Level, Level]] = OrderedDict()
        self._fit: object = None
        self._lock = Latch()

    def note(self, tenant: str, at: RequestPosition, fit: object) -> list[str]:
        """Add a tenant's request, as this fit sees it; returns what has moved, in words."""
        with self._lock:
            if fit is not self._fit:
                self._known.clear()
                self._fit = fit
            effect, likeness = self._levels(hashed(tenant))
            moved = ["harder or easier than before"] if _learned(effect, at.effect) else []
            less = _learned(likeness, at.likeness)
            likeness.above = 0.0  # becoming more similar is no drift
            return [*moved, "less like those that were learned from"] if less else moved

    def _levels(self, name: str) -> tuple[Level, Level]:
        levels = self._known.setdefault(name, (Level(variance=_SPREAD), Level(variance=_SPREAD)))
        self._known.move_to_end(name)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return levels


def _learned(level: Level, value: float) -> bool:
    return level.learn(value, value - level.mean if level.count else 0.0)
