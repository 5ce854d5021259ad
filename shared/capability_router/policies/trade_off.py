"""What decided between the best model and the next, in numbers, once scores have been learned from.

Where quality and cost alone name the best model, nothing else is told. Else the text adds what made the difference: the
time, the conversation's model, the floor of quality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import NamedTuple

from capability_router.amounts import seconds
from capability_router.policies.averages.target_candidates import STAYING, slowest
from capability_router.policies.base import EligibleModel, cost_text
from capability_router.policies.dual_solver import Point

_Judged = tuple[float, EligibleModel]
_FIRST, _QUALITY = itemgetter(0), attrgetter("quality")
_EVEN = 1e-9  # quality points: of equals the best is no worse
_SEEN = 0.005  # quality points: a smaller move does not show in two digits


class TradeOff(NamedTuple):
    """The models that may serve a request, the best of them, and their worth at a price of quality.

    `price` per USD, `mu` per second, both in quality points; `floor`: the least quality, None = any.
    `has_latency_target`: a target sets `mu`, and its own text names it.
    """

    rows: Sequence[EligibleModel]
    points: Sequence[Point]
    best: EligibleModel
    price: float
    mu: float
    floor: float | None
    has_latency_target: bool

    def told(self) -> str:
        """The clauses; "" if scores moved no quality, or there is no other model."""
        best, price = self.best, self.price
        seen = [pair for pair in zip(self.points, self.rows, strict=True) if not pair[1].held or pair[1] is best]
        if len(seen) < 2 or not any(_taught(row) for _, row in seen):
            return ""
        judged = [(point[1] - price * point[0], row) for point, row in seen]
        before = self._most([(w - row.quality + (row.believed or 0.0), row) for w, row in judged], _unlearned)
        other = self._most([pair for pair in judged if pair[1] is not best])
        moved = "" if before is best else f"; unlearned it would be {before.card.id}"
        return (
            f"learned: quality {best.quality:.2f} at {cost_text(best)}; next {other.card.id} has {other.quality:.2f} "
            f"at {cost_text(other)}; a dollar counts {_told(price)} quality points{self._waiting(seen)}"
            f"{self._floored(judged)}{moved}"
        )

    def _most(self, judged: Sequence[_Judged], quality: Callable[[EligibleModel], float] = _QUALITY) -> EligibleModel:
        """The model of most worth, of those that reach the floor by this quality, if any does."""
        floor = self.floor
        if floor is not None:
            judged = [pair for pair in judged if quality(pair[1]) >= floor] or judged
        return max(judged, key=_FIRST)[1]

    def _waiting(self, seen: Sequence[tuple[Point, EligibleModel]]) -> str:
        """What else was weighed, if another model is better by quality and cost alone."""
        best, price = self.best, self.price
        plain = self._most([(r.quality - price * p[0] + (_EVEN if r is best else 0.0), r) for p, r in seen])
        if plain is best:
            return ""
        parts = [self._slower(plain)] if self._seconds(plain) > self._seconds(best) and self.mu > 0.0 else []
        if best.stays:
            parts.append(f"staying with the conversation's model counts {STAYING:g}")
        return f"; by quality and cost alone it would be {plain.card.id}: {' and '.join(parts)}" if parts else ""

    def _slower(self, row: EligibleModel) -> str:
        took, own = seconds(self._seconds(row)), seconds(self._seconds(self.best))
        it = f"it takes {took}" if row.latency_s is not None else f"its unknown latency counts as {took}"
        return f"{it}, not {own}" + ("" if self.has_latency_target else f", and a second counts {self.mu:.2g}")

    def _seconds(self, row: EligibleModel) -> float:
        return (slowest(self.rows) if row.latency_s is None else row.latency_s) + row.queue_s

    def _floored(self, judged: Sequence[tuple[float, EligibleModel]]) -> str:
        floor = self.floor
        if floor is None:
            return ""
        if all(row.quality < floor for _, row in judged):
            return f"; no usable model reaches min_quality {floor:g}"
        _, without = max(judged, key=_FIRST)
        low = without.quality < floor
        return (
            f"; without min_quality {floor:g} it would be {without.card.id} with {without.quality:.2f}" if low else ""
        )


def _unlearned(row: EligibleModel) -> float:
    return row.believed or 0.0


def _taught(row: EligibleModel) -> bool:
    """Whether scores moved its quality by an amount that shows in two digits."""
    return row.believed is not None and abs(row.quality - row.believed) >= _SEEN


def _told(price: float) -> str:
    """Three digits, without an exponent."""
    return f"{price:,.0f}" if price >= 1_000.0 else f"{price:.3g}"
