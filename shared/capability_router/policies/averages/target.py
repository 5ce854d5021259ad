"""An average that is kept: so many USD, or seconds, per request, at the most quality.

The mirror of a quality target. The price of what is scarce (quality points per USD or second) is the lowest at
which the picks of a window of recent requests come to no more than the target on average: the corner that the dual
finds (../dual.py). Requests in which nothing is to be chosen count with what they take. What requests come to, once
they are over, corrects the corner by as much as predictions were wrong, and the price by what was spent beyond the
target lately, or left over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from capability_router.policies.dual import USD, WINDOW, Dual, Point, hull

COLD = 32  # a window shorter than this is filled up with copies of the request at hand
_REFRESH_EVERY = 16
_MOVED = 0.1  # a target that moves by more than this share is solved for at once
_JUST_ABOVE = 1.0 + 1e-9  # of a corner price, where its cheaper pick is taken
_STIFFNESS = 8.0  # a hundredth too much on average raises the price by a twelfth
_MOST_EXCESS = 0.5  # of a window's target: more than this is neither saved up nor worked off
_TELLING = 16  # so many ended requests tell how wrong predictions are
_MOST_WRONG = 8.0
_TINY = 1e-12


@dataclass(slots=True)
class Price:
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
        """Whether any picks come to the target."""
        return self.least <= self.wanted


class Target:
    """What recent requests took of one thing, and what it should be worth. Used under its policy's lock."""

    def __init__(self) -> None:
        self._dual = Dual()
        self._corner, self._solved_for, self._solved_at = 0.0, 0.0, -_REFRESH_EVERY
        self._wanted = 1.0
        self._mean = self._excess = 0.0
        self._booked = self._seen = self._ended = 0
        self._expected = self._real = 0.0
        self._wrong = 1.0  # what requests came to, for each unit that they were expected to
        self._missing, self._least = COLD, 0.0  # of the window: how many it lacks, and the mean of its least picks

    def price(
        self, wanted: float, points: Callable[[], Sequence[Point]], amounts: Callable[[], Sequence[float]] | None = None
    ) -> Price:  # fmt: skip
        """For a request with these candidates; their `usd`, `quality` hold the unit. Mostly they are not asked for.

        `amounts`: that unit alone, where it is told sooner than the points.
        """
        missing, wrong, now = self._missing, self._wrong, self._mean if self._booked else None
        own: Sequence[float] = ()
        if missing:
            own = sorted(map(USD, points()) if amounts is None else amounts())  # sooner than its least and its most
            least = self._dual.least(own[0], missing) * wrong
        else:
            least = self._least * wrong
        if least > wanted:
            return Price(beyond(points()), wanted, least, now)
        corner = self._cold_corner(wanted / wrong, points, own, missing) if missing else self._corner
        if corner:
            owed = min(max(self._excess, -_MOST_EXCESS), _MOST_EXCESS)
            corner = corner * math.exp(_STIFFNESS * owed) * _JUST_ABOVE
        return Price(corner, wanted, least, now)

    def _cold_corner(
        self, wanted: float, points: Callable[[], Sequence[Point]], amounts: Sequence[float], missing: int
    ) -> float:  # fmt: skip
        """Solved with copies of the request at hand, unless no picks would come to what is wanted: then it is 0.

        `amounts` ascend.
        """
        if self._dual.falls_short(wanted, amounts[0], amounts[-1], missing):
            return 0.0
        return self._dual.solve(wanted, hull(points()), missing)

    def took(self, wanted: float, points: Sequence[Point], amount: float | None, *, slack: bool = False) -> None:
        """A request that is carried out, and what it is expected to take, None = unknown.

        `slack`: the price that this target asks for is not what decides, so what is left over is not saved up.
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
        """What a request came to in the end. `telling`: it says something of predictions, as a failed one doesn't.

        Nor has that saved anything up by costing nothing.
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
        if self._least * self._wrong <= self._wanted:  # what can't be met is no debt
            more, most = self._excess + owed / self._wanted / count, _MOST_EXCESS * WINDOW / count
            self._excess = min(max(more, -most), most)

    def _solve(self) -> None:
        moved = abs(self._wanted - self._solved_for) > _MOVED * self._solved_for
        if moved or self._seen - self._solved_at >= _REFRESH_EVERY:
            self._corner = self._dual.solve(self._wanted / self._wrong)
            self._solved_for, self._solved_at = self._wanted, self._seen


def beyond(points: Sequence[Point]) -> float:
    """A price at which the cheapest of these is picked, also if utilities turn out to be somewhat others."""
    found = hull(points)
    return 10.0 * found.prices[0] if found.prices else 0.0
