"""adaptive: the largest q - lambda * cost - mu * latency.

lambda is the price of quality in quality points per USD. Without a target it follows the traffic:
`cost_weight` quality points for what the strongest model's mean call costs. With a `quality_target`
it is the dual of that target over recent requests (dual.py), so money is spent where it buys
quality; a `quality_share` is such a target beside the best model of each request. Targets of cost
and of latency, and caps that are to last, set the weights likewise (averages/steering.py). (A
per-request "cheapest that reaches the target" closes a half to a quarter as much of the gap to the
oracle on recorded outcomes.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, call

from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.plan import Candidate
from capability_router.policies.averages.pace import Pace
from capability_router.policies.averages.sight import STAYING, Sight, dearest, slowest
from capability_router.policies.averages.steering import Steering, Weights, told
from capability_router.policies.base import BELOW, Judgement, Prospect, Scene, Terms, rounded, told_cost
from capability_router.policies.dual import QUALITY, USD, WINDOW, Dual, Hull, Point, Wish, hull, worth
from capability_router.policies.lazy_tuple import LazyTuple
from capability_router.policies.trade import Trade
from capability_router.request import Outcome

COST_WEIGHT = 0.25
LATENCY_WEIGHT = 0.01  # quality points per second
_REFRESH_EVERY = 16
_COLD = 32  # a window shorter than this is filled up with copies of the request at hand, as if of usual size
_USUAL_TOKENS, _USUAL_WEIGHT = (1_000, 220), 4  # tokens in and out of a guessed call; it counts as 4 requests
_JUST_BELOW = 1.0 - 1e-9  # share of a corner price at which its more expensive pick is taken
QUALITY_WINDOW = 1_000  # requests; a mean of fewer is off by as much as cheap and strong models differ
_STIFFNESS = 20.0  # a mean off by 0.01 moves the price by a fifth
_TARGETS_KEPT = 64
_QUALITY, _HELD = attrgetter("quality"), attrgetter("held")
_BELOW_FLOOR = -10.0  # behind every model that reaches the floor
_NO_MATTER = 250.0  # as `cost_weight`, where quality hardly matters
_LEAST = 0.02  # as `cost_weight`; no target lowers the price further: smaller gains are within the error of predictions
_TIE = 1e-4  # as `cost_weight` where cost does not matter: at equal quality the cheaper one wins


class Aim:
    """A quality target: the corner price last solved for it, and how far its picks were above it on average."""

    __slots__ = ("beyond", "price", "seen", "solved_at")

    def __init__(self) -> None:
        self.price, self.solved_at = 0.0, -_REFRESH_EVERY
        self.beyond, self.seen = 0.0, 0

    def picked(self, beyond: float) -> None:
        """Record a pick whose predicted quality is this much above the target."""
        self.seen += 1
        self.beyond += (beyond - self.beyond) / min(self.seen, QUALITY_WINDOW)


class Adaptive:
    """Maximises utility, with the price of quality solved on recent traffic."""

    name = "adaptive"
    ordered = False

    def __init__(
        self,
        *,
        quality_target: float | None = None,
        quality_share: float | None = None,
        min_quality: float | None = None,
        cost_weight: float = COST_WEIGHT,
        latency_weight: float = LATENCY_WEIGHT,
        cost_target_usd: float | None = None,
        latency_target_s: float | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._floor = min_quality
        self._wish = None if quality_target is None else Wish(quality_target)
        self._wish = self._wish if quality_share is None else Wish(0.0, quality_share)
        self._cost_weight, self._mu = cost_weight, latency_weight
        self._dual = Dual(QUALITY_WINDOW)
        self._missing = _COLD  # of the window
        self._strong_usd = 0.0  # running mean of the strongest candidate's cost
        self._aims: dict[Wish, Aim] = {}
        self._seen = 0
        self._lock: DeferringLock[Callable[[], object]] = DeferringLock(call)
        self.weighs_waits = latency_weight > 0.0
        steers = not (cost_target_usd is None and latency_target_s is None and pace is None)
        self._steering = Steering(cost_target_usd, latency_target_s, pace, latency_weight) if steers else None
        self._weighed: tuple[Sequence[Prospect], tuple[Sight, Weights] | None] = ((), None)
        self._last_strongest: tuple[Sequence[Prospect], Prospect | None] = ((), None)
        self._first_usd: dict[str, float] = {}  # of a request of usual size, by model
        self._away: dict[str, int] = {}  # for how many requests in a row a model has been held

    def observe(self, scene: Scene, chosen: str = "") -> None:
        """Add a request that is really carried out; `explain` leaves the window unchanged."""
        mu = self._mu if self._steering is None else self._steered(self._steering, scene, chosen).mu
        self._lock.post(partial(self._taken, scene, self._wanted(scene), mu))

    def _taken(self, scene: Scene, wish: Wish | None, mu: float) -> None:
        """Runs with the lock held."""
        rows = self._lasting(scene.rows)
        usd = (self._strongest(rows).cost_pico or 0) / 1e12
        usual = 0.0 if wish is None else self._usual_usd(scene)
        self._seen += 1
        self._strong_usd += (usd - self._strong_usd) / min(self._seen, WINDOW)
        if wish is None and not self._aims:
            return
        points = self._open(_points(rows, mu))
        if wish is None:
            self._dual.observe(hull(points))
        else:
            usable = points if not self._away else self._open(_points(_usable(scene.rows), mu))
            self._aim(wish, points, usable, usual)
        self._missing = max(_COLD - len(self._dual), 0)

    def _lasting(self, rows: Sequence[Prospect]) -> Sequence[Prospect]:
        """The rows to solve the price of quality with: a passing outage does not change what quality is worth.

        A model counts as gone once it has been held for as many requests as the window has.
        """
        if not any(map(_HELD, rows)):
            if self._away:
                self._away = {}
            return rows
        away = self._away = {row.card.id: self._away.get(row.card.id, 0) + 1 for row in rows if row.held}
        if max(away.values()) <= QUALITY_WINDOW:
            return rows
        return [row for row in rows if away.get(row.card.id, 0) <= QUALITY_WINDOW] or rows

    def settled(self, chosen: Candidate, outcome: Outcome) -> None:
        """Record the real cost and time of an observed request. Waits for no lock, because the garbage collector may
        end a request in the middle of another's.
        """
        if self._steering is not None:
            self._lock.post(partial(self._steering.settled, chosen, outcome))

    def _steered(self, steering: Steering, scene: Scene, chosen: str) -> Weights:
        """Show the targets a request; returns its weights as they were before it."""
        sight, weights = self._weighing(scene, steering)
        price = weights.price
        if price is None:
            price = self._priced(scene, self._wanted(scene), _points(scene.rows, weights.mu), weights)
        asked = next((row for row in scene.rows if row.card.id == chosen), None) or self._pick(sight, weights, price)
        with self._lock:
            steering.observe(sight, weights, price, asked)
        return weights

    @staticmethod
    def _pick(sight: Sight, weights: Weights, price: float) -> Prospect:
        points, own = _points(sight.rows, weights.mu), worth(price)
        return max(zip(points, sight.rows, strict=True), key=lambda pair: own(pair[0]))[1]

    def _sight(self, scene: Scene) -> Sight:
        """The models that the targets choose from: no held ones and none below the floor, unless all are."""
        rows, floor = _usable(scene.rows), self._floor
        if floor is not None:
            rows = [row for row in rows if row.quality >= floor] or rows
        reference = self._strong_usd or self._usd(rows)
        one = 1.0 / reference if reference > 0.0 else 0.0
        return Sight(rows, self._cost_weight * one, _TIE * one, ruled=self._wanted(scene) is not None)

    def _open(self, points: Sequence[Point]) -> Sequence[Point]:
        """The points that reach the floor, or all if none does."""
        floor = self._floor
        return points if floor is None else [p for p in points if QUALITY(p) >= floor] or points

    def _aim(self, wish: Wish, points: Sequence[Point], usable: Sequence[Point], usual: float) -> None:
        found = hull(points)
        price = self._for_target(wish, points, usual, found)
        aim = self._aims.setdefault(wish, Aim())
        _, _, quality = max(usable, key=worth(price))
        aim.picked(wish.beyond(quality, found.best))
        self._dual.observe(found)
        if self._seen - aim.solved_at >= _REFRESH_EVERY:
            aim.price, aim.solved_at = self._dual.solve(wish.level, share=wish.share), self._seen
        if len(self._aims) > _TARGETS_KEPT:
            del self._aims[next(iter(self._aims))]

    def _price_of_quality(self, scene: Scene, wish: Wish | None, points: Sequence[Point]) -> float:
        """Lambda for this request, in quality points per USD."""
        if wish is None:
            return self._usual(points, self._cost_weight)
        with self._lock:
            return self._for_target(wish, self._open(points), self._usual_usd(scene))

    def _strongest(self, rows: Sequence[Prospect]) -> Prospect:
        """The strongest of these models. It is needed two or three times per request, so it is cached."""
        known, strong = self._last_strongest
        if strong is None or known is not rows:
            strong = max(rows, key=_QUALITY)
            self._last_strongest = (rows, strong)  # one value, since threads judge at the same time
        return strong

    def _usd(self, rows: Sequence[Prospect]) -> float:
        """The cost of the strongest model, in USD."""
        pico = self._strongest(rows).cost_pico
        return (dearest(rows) if pico is None else pico) / 1e12

    def _usual_usd(self, scene: Scene) -> float:
        """What a call of the strongest model costs for a request of usual size; 0 = unknown."""
        if not self._missing:  # not needed any more
            return 0.0
        card = self._strongest(scene.rows).card
        first = self._first_usd.get(card.id)
        if first is None:
            first = ((None if card.price is None else card.price.estimate(*_USUAL_TOKENS)) or 0) / 1e12
            self._first_usd[card.id] = first
        seen = min(self._seen, WINDOW)
        return (_USUAL_WEIGHT * first + seen * self._strong_usd) / (_USUAL_WEIGHT + seen)

    def _usual(self, points: Sequence[Point], weight: float) -> float:
        """The price at which a mean call of the strongest model costs this many quality points."""
        reference = self._strong_usd or USD(max(points, key=QUALITY))
        return weight / reference if reference > 0 else 0.0

    def _priced(self, scene: Scene, wish: Wish | None, points: Sequence[Point], weights: Weights | None) -> float:
        """Lambda, from whichever source sets it.

        With a latency target it stays finite: else both weights would rise for ever where quality is above its target
        and latency is not.
        """
        if weights is None:
            return self._price_of_quality(scene, wish, points)
        if weights.price is not None:
            return weights.price
        price = self._price_of_quality(scene, wish, points)
        return price if weights.wait is None else min(price, self._usual(points, _NO_MATTER))

    def _weighing(self, scene: Scene, steering: Steering) -> tuple[Sight, Weights]:
        """The models that the targets choose from, and the resulting weights, as of the time when the request was
        judged.
        """
        rows, found = self._weighed
        if found is None or rows is not scene.rows:
            sight = self._sight(scene)
            with self._lock:
                found = sight, steering.weights(sight)
            self._weighed = (scene.rows, found)  # one value, since threads judge at the same time
        return found

    def _wanted(self, scene: Scene) -> Wish | None:
        own = scene.request.routing.quality_target
        return self._wish if own is None else Wish(own)

    def _for_target(self, wish: Wish, points: Sequence[Point], usual: float, found: Hull | None = None) -> float:
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
        one = usual or self._strong_usd
        return max(price * _JUST_BELOW, _LEAST / one if one > 0.0 else 0.0)

    def judge(self, scene: Scene) -> Judgement:
        """The utilities; models below `min_quality` rank last unless none reaches it."""
        weights = None if self._steering is None else self._weighing(scene, self._steering)[1]
        points = _points(scene.rows, self._mu if weights is None else weights.mu)
        wish, floor = self._wanted(scene), self._floor
        price = self._priced(scene, wish, points, weights)
        if floor is not None and not any(QUALITY(p) >= floor for p in points):
            floor = None
        below = 0.0 if floor is None else _below(points, price)
        terms = partial(_terms, points, scene.rows, price, floor, below)
        settings = LazyTuple(partial(self._settings, price, wish, weights))
        second = 0.0 if not self.weighs_waits else self._mu if weights is None else max(weights.mu, self._mu)
        return Judgement(_scores(points, price, floor, below), settings, second, terms)

    def reason(self, scene: Scene, best: Prospect) -> str:
        """The trade that was made: against the next best if scores were learned, else against the strongest."""
        sight, weights = (None, None) if self._steering is None else self._weighing(scene, self._steering)
        trade = self._learned(scene, best, weights) or self._traded(scene, best)
        targets = "" if weights is None or sight is None else told(weights, sight)
        return f"{trade}; {targets}" if targets else trade

    def _traded(self, scene: Scene, best: Prospect) -> str:
        strong = self._strongest(scene.rows)
        own = f"quality {best.quality:.2f} at {told_cost(best)}"
        if strong.card.id == best.card.id:
            return f"strongest, and worth it: {own}"
        return f"{own}; {strong.card.id} has {strong.quality:.2f} at {told_cost(strong)}"

    def _learned(self, scene: Scene, best: Prospect, weights: Weights | None) -> str:
        """What decided, in numbers, if requests were scored; and which model it would have been without the scores."""
        if best.believed is None:  # nothing was learned of any model
            return ""
        mu = self._mu if weights is None else weights.mu
        points = _points(scene.rows, mu)
        price = self._priced(scene, self._wanted(scene), points, weights)
        steered = weights is not None and weights.wait is not None
        return Trade(scene.rows, points, best, price, mu, self._floor, steered).told()

    def _settings(self, price: float, wish: Wish | None, weights: Weights | None) -> Terms:
        target: Terms = () if wish is None else (("quality_target", wish.level),)
        if wish is not None and wish.share:
            target = (("quality_share", wish.share),)
        mu = self._mu
        if weights is not None and self._steering is not None:
            mu, target = rounded(weights.mu, 6), (*target, *self._steering.settings(weights))
        weighed = (("cost_weight", self._cost_weight), ("latency_weight", mu))
        return (("price_of_quality", rounded(price, 6)), *weighed, *target)


def _below(points: Sequence[Point], price: float) -> float:
    """The penalty of a model below the floor: more than all other terms can make up for."""
    judged = list(map(worth(price), points))
    return _BELOW_FLOOR - (max(judged) - min(judged))


def _scores(points: Sequence[Point], price: float, floor: float | None, below: float) -> list[float]:
    if floor is None:
        return [utility - price * usd for usd, utility, _ in points]
    return [
        utility - price * usd + below if quality < floor else utility - price * usd for usd, utility, quality in points
    ]


def _terms(
    points: Sequence[Point], rows: Sequence[Prospect], price: float, floor: float | None, below: float, at: int
) -> Terms:
    """The summands of the score at this index."""
    (usd, utility, quality), stays = points[at], rows[at].stays
    terms: Terms = (("quality", quality), ("cost", -price * usd), ("latency", utility - quality))
    if stays:
        terms = (*terms[:2], ("latency", utility - quality - STAYING), ("staying", STAYING))
    return (*terms, (BELOW, below)) if floor is not None and quality < floor else terms


def _points(rows: Sequence[Prospect], mu: float) -> list[Point]:
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


def _usable(rows: Sequence[Prospect]) -> Sequence[Prospect]:
    """The rows that are not held, or all rows if all are held."""
    return [row for row in rows if not row.held] or rows if any(map(_HELD, rows)) else rows


def _no_larger(found: Hull, points: Sequence[Point], usual: float) -> Hull:
    """The hull with all costs reduced so that the strongest model costs what is usual: a long first request sets no
    price.
    """
    own = USD(max(points, key=QUALITY))
    if not 0.0 < usual < own:
        return found
    return Hull(found.base, [price * own / usual for price in found.prices], found.gains, found.best)
