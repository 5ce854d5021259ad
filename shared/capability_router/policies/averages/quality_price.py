"""The price of quality in quality points per USD, found on recent requests: of all, or of one tenant.

Without a target it is a weight for what the strongest model's mean call costs. With one it is the target's dual
(../dual.py), corrected by how far above the target the picks were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter

from capability_router.policies.averages.target_candidates import Strongest, above_floor, points_of, usable
from capability_router.policies.base import EligibleModel, PolicyContext
from capability_router.policies.dual_solver import (
    QUALITY,
    USD,
    WINDOW,
    DualSolver,
    Hull,
    Point,
    QualityGoal,
    hull,
    worth,
)

_REFRESH_EVERY = 16
_COLD = 32  # a window shorter than this is filled up with copies of the request at hand, as if of usual size
_USUAL_TOKENS, _USUAL_WEIGHT = (1_000, 220), 4  # tokens in and out of a guessed call; it counts as 4 requests
_JUST_BELOW = 1.0 - 1e-9  # share of a corner price at which its more expensive pick is taken
QUALITY_WINDOW = 1_000  # requests; a mean of fewer is off by as much as cheap and strong models differ
_STIFFNESS = 20.0  # a mean off by 0.01 moves the price by a fifth
_TARGETS_KEPT = 64
_HELD = attrgetter("held")
_LEAST = 0.02  # as `cost_weight`; no target lowers the price further: smaller gains are within predictions' errors


class QualityTargetState:
    """A quality target: the corner price last solved for it, and how far its picks were above it on average."""

    __slots__ = ("beyond", "price", "seen", "solved_at")

    def __init__(self) -> None:
        self.price, self.solved_at = 0.0, -_REFRESH_EVERY
        self.beyond, self.seen = 0.0, 0

    def picked(self, beyond: float) -> None:
        """Record a pick whose predicted quality is this much above the target."""
        self.seen += 1
        self.beyond += (beyond - self.beyond) / min(self.seen, QUALITY_WINDOW)

    def copy(self) -> QualityTargetState:
        """Another one that begins like this."""
        other = QualityTargetState()
        other.beyond, other.price, other.seen, other.solved_at = self.beyond, self.price, self.seen, self.solved_at
        return other


class QualityPrice:
    """Its callers hold the policy's lock where it changes, and where a target's price is asked for.

    `floor`: as `min_quality`. `window`: requests that a target's price is solved on.
    """

    def __init__(self, floor: float | None, strongest: Strongest, window: int = QUALITY_WINDOW) -> None:
        self._floor, self._strongest, self._window = floor, strongest, window
        self._dual = DualSolver(window)
        self._missing = _COLD  # of the window
        self.strong_usd = 0.0
        """What the strongest model's call costs on average."""
        self._aims: dict[QualityGoal, QualityTargetState] = {}
        self.seen = 0
        """Requests, ever."""
        self._first_usd: dict[str, float] = {}  # of a request of usual size, by model
        self._away: dict[str, int] = {}  # for how many requests in a row a model has been held

    def copy(self) -> QualityPrice:
        """Another one that has seen the same requests."""
        other = QualityPrice(self._floor, self._strongest, self._window)
        other._dual, other._missing, other.strong_usd = self._dual.copy(), self._missing, self.strong_usd
        other._aims = {wish: aim.copy() for wish, aim in self._aims.items()}
        other.seen, other._first_usd, other._away = self.seen, dict(self._first_usd), dict(self._away)
        return other

    def taken(self, scene: PolicyContext, wish: QualityGoal | None, mu: float) -> None:
        """A request is carried out; `mu`: what a second counts."""
        rows = self._lasting(scene.rows)
        usd = (self._strongest.of(rows).cost_pico or 0) / 1e12
        usual = 0.0 if wish is None else self._usual_usd(scene)
        self.seen += 1
        self.strong_usd += (usd - self.strong_usd) / min(self.seen, WINDOW)
        if wish is None and not self._aims:
            return
        points = above_floor(points_of(rows, mu), self._floor)
        if wish is None:
            self._dual.observe(hull(points))
        else:
            may = points if not self._away else above_floor(points_of(usable(scene.rows), mu), self._floor)
            self._aim(wish, points, may, usual)
        self._missing = max(_COLD - len(self._dual), 0)

    def usual(self, points: Sequence[Point], weight: float) -> float:
        """The price at which a mean call of the strongest model costs this many quality points."""
        reference = self.strong_usd or USD(max(points, key=QUALITY))
        return weight / reference if reference > 0 else 0.0

    def for_target(self, scene: PolicyContext, wish: QualityGoal, points: Sequence[Point]) -> float:
        """The price that meets this target, for a request with these points."""
        return self._solved(wish, above_floor(points, self._floor), self._usual_usd(scene))

    def _lasting(self, rows: Sequence[EligibleModel]) -> Sequence[EligibleModel]:
        """The rows to solve the price of quality with: a passing outage does not change what quality is worth.

        A model counts as gone once it has been held for as many requests as the window has.
        """
        if not any(map(_HELD, rows)):
            if self._away:
                self._away = {}
            return rows
        away = self._away = {row.card.id: self._away.get(row.card.id, 0) + 1 for row in rows if row.held}
        if max(away.values()) <= self._window:
            return rows
        return [row for row in rows if away.get(row.card.id, 0) <= self._window] or rows

    def _aim(self, wish: QualityGoal, points: Sequence[Point], may: Sequence[Point], usual: float) -> None:
        found = hull(points)
        price = self._solved(wish, points, usual, found)
        aim = self._aims.setdefault(wish, QualityTargetState())
        _, _, quality = max(may, key=worth(price))
        aim.picked(wish.beyond(quality, found.best))
        self._dual.observe(found)
        if self.seen - aim.solved_at >= _REFRESH_EVERY:
            aim.price, aim.solved_at = self._dual.solve(wish.level, share=wish.share), self.seen
        if len(self._aims) > _TARGETS_KEPT:
            del self._aims[next(iter(self._aims))]

    def _usual_usd(self, scene: PolicyContext) -> float:
        """What a call of the strongest model costs for a request of usual size; 0 = unknown."""
        if not self._missing:  # not needed any more
            return 0.0
        card = self._strongest.of(scene.rows).card
        first = self._first_usd.get(card.id)
        if first is None:
            first = ((None if card.price is None else card.price.estimate(*_USUAL_TOKENS)) or 0) / 1e12
            self._first_usd[card.id] = first
        seen = min(self.seen, WINDOW)
        return (_USUAL_WEIGHT * first + seen * self.strong_usd) / (_USUAL_WEIGHT + seen)

    def _solved(self, wish: QualityGoal, points: Sequence[Point], usual: float, found: Hull | None = None) -> float:
        """The corner price, raised while the picks so far are above the target, lowered while they are below.

        Without that, equal requests would all fall on one side of their corner, and a window whose predictions drift
        would always miss the target. The price never falls so low that the smallest gain is bought at any cost.
        `found`: the points' hull, if it is already known.
        """
        aim, missing = self._aims.get(wish), self._missing
        if aim is None or missing:
            also = _no_larger(found or hull(points), points, usual) if missing else None
            price = self._dual.solve(wish.level, also, missing, share=wish.share)
        else:
            price = aim.price * math.exp(_STIFFNESS * aim.beyond)
        one = usual or self.strong_usd
        return max(price * _JUST_BELOW, _LEAST / one if one > 0.0 else 0.0)


def _no_larger(found: Hull, points: Sequence[Point], usual: float) -> Hull:
    """The hull with all costs reduced so that the strongest model costs what is usual: a long first request sets no
    price.
    """
    own = USD(max(points, key=QUALITY))
    if not 0.0 < usual < own:
        return found
    return Hull(found.base, [price * own / usual for price in found.prices], found.gains, found.best)
