"""A target average per request, in USD or seconds, kept at the highest quality.

It mirrors a quality target. The price of the scarce unit (quality points per USD or second) is the lowest at which the
picks of a window of recent requests do not exceed the target on average: the corner that the dual finds (../dual.py).
Requests without a choice count with what they take. The ratio of real to predicted amounts corrects the corner; what
was recently overspent or saved then corrects the price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from capability_router.policies.dual_solver import USD, WINDOW, DualSolver, Point, hull

COLD = 32  # a window shorter than this is filled up with copies of the request at hand
_REFRESH_EVERY = 16
_MOVED = 0.1  # a target that moves by more than this share is solved again at once
_JUST_ABOVE = 1.0 + 1e-9  # share of a corner price at which its cheaper pick is taken
_STIFFNESS = 8.0  # a hundredth too much on average raises the price by a twelfth
_MOST_EXCESS = 0.5  # share of a window's target: the most that is saved up or made up for
_TELLING = 16  # ended requests that are needed to correct predictions
_MOST_WRONG = 8.0
_TINY = 1e-12


@dataclass(slots=True)
class DualPrice:
    """A price in quality points per unit.

    `wanted`, `least` (the mean of the cheapest or fastest picks) and `now` are per request; `now` None = no request
    yet.
    """

    value: float
    wanted: float
    least: float
    now: float | None

    @property
    def met(self) -> bool:
        """Whether any picks meet the target."""
        return self.least <= self.wanted


class AverageTarget:
    """What recent requests took of one unit, and the price of that unit. Its callers hold the policy's lock."""

    def __init__(self) -> None:
        self._dual = DualSolver()
        self._corner, self._solved_for, self._solved_at = 0.0, 0.0, -_REFRESH_EVERY
        self._wanted = 1.0
        self._mean = self._excess = 0.0
        self._booked = self._seen = self._ended = 0
        self._expected = self._real = 0.0
        self._wrong = 1.0  # real amount of the requests per predicted unit
        self._missing, self._least = COLD, 0.0  # how many requests the window lacks, and the mean of its least picks

    def price(
        self, wanted: float, points: Callable[[], Sequence[Point]], amounts: Callable[[], Sequence[float]] | None = None
    ) -> DualPrice:  # fmt: skip
        """The price for a request with these candidates; `usd` and `quality` of the points hold the unit.

        `amounts`: the unit alone, if it is quicker to get than the points. Mostly neither is needed, so both are calls.
        """
        missing, wrong, now = self._missing, self._wrong, self._mean if self._booked else None
        own: Sequence[float] = ()
        if missing:
            own = sorted(map(USD, points()) if amounts is None else amounts())  # sooner than its least and its most
            least = self._dual.least(own[0], missing) * wrong
        else:
            least = self._least * wrong
        if least > wanted:
            return DualPrice(beyond(points()), wanted, least, now)
        corner = self._cold_start_price(wanted / wrong, points, own, missing) if missing else self._corner
        if corner:
            owed = min(max(self._excess, -_MOST_EXCESS), _MOST_EXCESS)
            corner = corner * math.exp(_STIFFNESS * owed) * _JUST_ABOVE
        return DualPrice(corner, wanted, least, now)

    def _cold_start_price(
        self, wanted: float, points: Callable[[], Sequence[Point]], amounts: Sequence[float], missing: int
    ) -> float:  # fmt: skip
        """Solved with copies of this request; 0 if no picks would meet the target.

        `amounts` ascend.
        """
        if self._dual.falls_short(wanted, amounts[0], amounts[-1], missing):
            return 0.0
        return self._dual.solve(wanted, hull(points()), missing)

    def took(self, wanted: float, points: Sequence[Point], amount: float | None, *, slack: bool = False) -> None:
        """Add a request that is carried out, with its expected amount; None = unknown.

        `slack`: this target's price does not decide, so what is left over is not saved up.
        """
        self._wanted = max(wanted, _TINY)
        self._seen += 1
        if points:
            self._dual.observe(hull(points))
            self._missing, self._least = max(COLD - len(self._dual), 0), self._dual.least()
            self._solve()
        if amount is not None:
            self._book(amount)
        if slack or not (self._corner or self._missing):
            self._excess = max(self._excess, 0.0)

    def settled(self, expected: float | None, real: float, *, telling: bool) -> None:
        """Record the final amount of a request. `telling`: it shows how good predictions are, which a failed request
        does not.

        A failed request saves nothing up by costing nothing.
        """
        if expected is None:
            self._book(real)
            return
        if self._booked:
            owed = (real if telling else max(real, self._wanted)) - expected
            self._add(real - expected, owed, min(self._booked, WINDOW))
        if telling:
            self._ended += 1
            share = 1.0 / min(self._ended, WINDOW)
            self._expected += (expected - self._expected) * share
            self._real += (real - self._real) * share
            if self._ended >= _TELLING and self._expected > 0.0:
                self._wrong = min(max(self._real / self._expected, 1.0 / _MOST_WRONG), _MOST_WRONG)
            else:
                self._wrong = 1.0

    def _book(self, amount: float) -> None:
        self._booked += 1
        count = min(self._booked, WINDOW)
        self._mean -= self._mean / count
        self._excess -= self._excess / count
        self._add(amount, amount - self._wanted, count)

    def _add(self, amount: float, owed: float, count: int) -> None:
        self._mean += amount / count
        if self._least * self._wrong <= self._wanted:  # a target that can't be met leaves no debt
            more, most = self._excess + owed / self._wanted / count, _MOST_EXCESS * WINDOW / count
            self._excess = min(max(more, -most), most)

    def _solve(self) -> None:
        moved = abs(self._wanted - self._solved_for) > _MOVED * self._solved_for
        if moved or self._seen - self._solved_at >= _REFRESH_EVERY:
            self._corner = self._dual.solve(self._wanted / self._wrong)
            self._solved_for, self._solved_at = self._wanted, self._seen


def beyond(points: Sequence[Point]) -> float:
    """A price at which the cheapest candidate is picked even if utilities turn out slightly different."""
    found = hull(points)
    return 10.0 * found.prices[0] if found.prices else 0.0
