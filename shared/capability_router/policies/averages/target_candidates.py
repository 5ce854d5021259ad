"""What the targets of `adaptive` choose from: the models of one request, with their cost and latency."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from capability_router.policies.base import EligibleModel
from capability_router.policies.dual_solver import QUALITY, Point

STAYING = 0.02  # quality points; a smaller advantage does not move a conversation to another model
_HELD, _QUALITY = attrgetter("held"), attrgetter("quality")
_UNPRICED = 10**10  # picodollars: an unknown cost among free models is not free


def dearest(rows: Sequence[EligibleModel]) -> int:
    """Picodollars: the cost that is assumed where it is unknown."""
    return max([r.cost_pico for r in rows if r.cost_pico is not None], default=0) or _UNPRICED


def slowest(rows: Sequence[EligibleModel]) -> float:
    """Seconds: the latency that is assumed where it is unknown."""
    return max([r.latency_s for r in rows if r.latency_s is not None], default=0.0)


class TargetCandidates:
    """The models that a request may use. Values are computed on first use and kept, because most are never needed.

    `usual`: the price of quality without a target. `tie`: the lowest price. `ruled`: whether a quality target sets it.
    """

    __slots__ = ("_seconds", "_usd", "_worth", "rows", "ruled", "tie", "usual")

    def __init__(self, rows: Sequence[EligibleModel], usual: float, tie: float, *, ruled: bool) -> None:
        self.rows, self.usual, self.tie, self.ruled = rows, usual, tie, ruled
        self._worth: Sequence[float] | None = None
        self._seconds: Sequence[float] | None = None
        self._usd: Sequence[float] | None = None

    @property
    def worth(self) -> Sequence[float]:
        """In quality points, before cost and time: quality, plus STAYING for the conversation's model."""
        if self._worth is None:
            self._worth = [r.quality + STAYING if r.stays else r.quality for r in self.rows]
        return self._worth

    @property
    def seconds(self) -> Sequence[float]:
        """The models' latencies, queue included; an unknown one counts as the slowest."""
        if self._seconds is None:
            try:
                self._seconds = [r.latency_s + r.queue_s for r in self.rows]  # type: ignore[operator]  # as below
            except TypeError:
                most = slowest(self.rows)
                self._seconds = [(most if r.latency_s is None else r.latency_s) + r.queue_s for r in self.rows]
        return self._seconds

    @property
    def usd(self) -> Sequence[float]:
        """The models' costs; unknown counts as the highest."""
        if self._usd is None:
            try:
                self._usd = [r.cost_pico / 1e12 for r in self.rows]  # type: ignore[operator]  # mostly none is unknown
            except TypeError:
                most = dearest(self.rows)
                self._usd = [(most if r.cost_pico is None else r.cost_pico) / 1e12 for r in self.rows]
        return self._usd


def points_of(rows: Sequence[EligibleModel], mu: float) -> list[Point]:
    """The points of the rows. An unknown cost or latency counts as the highest among the candidates, so that it is
    never an advantage.
    """
    highest = longest = None
    points: list[Point] = []
    for r in rows:
        quality, cost, wait = r.quality, r.cost_pico, r.latency_s
        if cost is None:
            cost = highest = highest or dearest(rows)
        if wait is None:
            wait = longest = slowest(rows) if longest is None else longest
        utility = quality - mu * (wait + r.queue_s)
        points.append((cost / 1e12, utility + STAYING if r.stays else utility, quality))
    return points


def usable(rows: Sequence[EligibleModel]) -> Sequence[EligibleModel]:
    """The rows that are not held, or all rows if all are held."""
    return [row for row in rows if not row.held] or rows if any(map(_HELD, rows)) else rows


def above_floor(points: Sequence[Point], floor: float | None) -> Sequence[Point]:
    """The points that reach the floor of quality, or all if none does, or there is none."""
    return points if floor is None else [p for p in points if QUALITY(p) >= floor] or points


class Strongest:
    """Finds the strongest of a request's models. It is needed two or three times per request, so it is cached."""

    def __init__(self) -> None:
        self._last: tuple[Sequence[EligibleModel], EligibleModel | None] = ((), None)

    def of(self, rows: Sequence[EligibleModel]) -> EligibleModel:
        """The first of the highest quality."""
        known, strong = self._last
        if strong is None or known is not rows:
            strong = max(rows, key=_QUALITY)
            self._last = (rows, strong)  # one value, since threads judge at the same time
        return strong

    def usd(self, rows: Sequence[EligibleModel]) -> float:
        """Its cost, in USD; an unknown one counts as the highest."""
        pico = self.of(rows).cost_pico
        return (dearest(rows) if pico is None else pico) / 1e12
