"""The price of quality that meets a target on average, solved exactly on a window of recent requests.

For one request, as the price of quality (lambda, quality points per USD) falls, the best model moves
along the upper hull of its (cost, utility) points: at each corner a price at which quality steps
up. The window's mean quality at any lambda is therefore a sum of steps, and the largest lambda that
still meets a target is found by walking the sorted corners: no search, no numerics.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import NamedTuple

WINDOW = 200
_ROUNDING = 1e-12
_CLEARLY, _ROUNDED = 1.001, 1e-9  # more than any rounding error
Point = tuple[float, float, float]
"""One candidate of one request: USD, utility before cost (quality - mu * seconds), quality.

A target of cost or latency (averages/average_target.py) has its own unit in the place of the USD, and of the quality
too, as that is what the window sums up. A plain tuple, because each decision makes some dozens.
"""
USD, QUALITY = itemgetter(0), itemgetter(2)


class QualityGoal(NamedTuple):
    """The wanted mean quality of the picks: `level`, and this `share` of the best model's quality for each request.

    One of the two is 0. A share is independent of how hard the window's requests are.
    """

    level: float
    share: float = 0.0

    def beyond(self, quality: float, best: float) -> float:
        """How far a pick of this quality is above the wish."""
        return quality - self.level - self.share * best


class Hull(NamedTuple):
    """The quality of the cheapest useful point, and the steps up from there: below each price quality rises by that
    gain.

    The prices fall. `best`: the highest quality of any point, useful or not.
    """

    base: float
    prices: list[float]
    gains: list[float]
    best: float = 0.0


class DualSolver:
    """The window and its sorted steps."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._requests: deque[Hull] = deque()
        self._prices: list[float] = []  # of all steps, ascending
        self._gains: list[float] = []  # of the same steps
        self._base = 0.0  # summed quality of the cheapest picks
        self._best = 0.0  # and of the best

    def __len__(self) -> int:
        return len(self._requests)

    def copy(self) -> DualSolver:
        """Another one with the same window."""
        other = DualSolver(self._window)
        other._requests = self._requests.copy()
        other._prices, other._gains = self._prices.copy(), self._gains.copy()
        other._base, other._best = self._base, self._best
        return other

    def least(self, also: float = 0.0, copies: int = 0) -> float:
        """The window's mean if each request goes to its cheapest model.

        `also`: what the cheapest model of one more request adds to the sum, in each of its copies.
        """
        count = len(self._requests) + copies
        return (self._base + copies * also) / count if count else 0.0

    def falls_short(self, target: float, least: float, most: float, copies: int) -> bool:
        """Whether `solve` would surely return 0, found without a hull: all picks together stay clearly below the
        target.

        `least`, `most`: what the candidates of one more request add to the sum, in each of its copies.
        """
        needed = target * len(self._requests) - self._base + copies * (target - least)
        return needed > _CLEARLY * (sum(self._gains) + copies * (most - least)) + _ROUNDED

    def observe(self, found: Hull) -> None:
        """Add the hull of one request's candidates to the window; a full window drops the oldest."""
        self._requests.append(found)
        self._base += found.base
        self._best += found.best
        _into(self._prices, self._gains, found)
        if len(self._requests) > self._window:
            self._forget()

    def _forget(self) -> None:
        gone = self._requests.popleft()
        self._base -= gone.base
        self._best -= gone.best
        for price, gain in zip(gone.prices, gone.gains, strict=True):
            at = self._gains.index(gain, bisect_left(self._prices, price))  # among equal prices, the one with this gain
            del self._prices[at], self._gains[at]

    def solve(self, target: float, also: Hull | None = None, copies: int = 0, *, share: float = 0.0) -> float:
        """The price at which the picks' mean quality meets the target; 0 if no price does.

        `share`: the target is raised by this share of the best models' mean quality.

        It is a corner: just below it the picks reach the target, just above it they may not. `also` is one more
        request, counted `copies` times: it fills a window that is still short.
        """
        needed = target * len(self._requests) + share * self._best - self._base
        prices, gains = self._prices, self._gains
        if also is not None:
            needed += copies * (target + share * also.best - also.base)
            prices, gains = prices.copy(), gains.copy()
            _into(prices, gains, also, copies)
        if not prices:
            return 0.0
        if needed <= 0:
            return 2.0 * prices[-1] + 1.0
        at = bisect_left(list(accumulate(reversed(gains))), needed - _ROUNDING)
        return 0.0 if at == len(prices) else prices[-1 - at]


def _into(prices: list[float], gains: list[float], more: Hull, copies: int = 1) -> None:
    """Insert its steps in ascending order of price; each counts this many times."""
    for price, gain in zip(more.prices, more.gains, strict=True):
        at = bisect_left(prices, price)
        prices.insert(at, price)
        gains.insert(at, copies * gain)


def worth(price: float) -> Callable[[Point], float]:
    """A candidate's worth at this price; the highest is picked."""
    return lambda point: point[1] - price * point[0]


def hull(points: Sequence[Point]) -> Hull:
    """The corners of the upper hull of these points, by cost."""
    cheapest, *others = sorted(points, key=USD)
    corners, (last_usd, last_utility, _) = [cheapest], cheapest
    prices: list[float] = []  # between each two corners: above it the cheaper one is the better
    for point in others:
        usd, utility, _ = point
        if utility <= last_utility:
            continue
        if usd == last_usd:  # the last corner is worse at the same cost: this one replaces it
            corners.pop()
            if not prices:
                corners, (last_usd, last_utility, _) = [point], point
                continue
            prices.pop()
            last_usd, last_utility, _ = corners[-1]
        price = (utility - last_utility) / (usd - last_usd)
        while prices and price >= prices[-1]:
            corners.pop()
            prices.pop()
            last_usd, last_utility, _ = corners[-1]
            price = (utility - last_utility) / (usd - last_usd)
        corners.append(point)
        prices.append(price)
        last_usd, last_utility = usd, utility
    gains = [dearer - cheaper for (_, _, cheaper), (_, _, dearer) in pairwise(corners)]
    return Hull(QUALITY(corners[0]), prices, gains, max(map(QUALITY, points)))
