"""adaptive: the largest q - lambda * cost - mu * latency.

lambda is the price of quality in quality points per USD. Without a target it follows the traffic:
`cost_weight` quality points for what the strongest model's mean call costs. With a `quality_target`
it is the dual of that target over recent requests (dual.py), so money is spent where it buys
quality; a `quality_share` is such a target beside the best model of each request. Targets of cost
and of latency, and caps that are to last, set the weights likewise (averages/target_controller.py). (A
per-request "cheapest that reaches the target" closes a half to a quarter as much of the gap to the
oracle on recorded outcomes.)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from operator import call

from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.plan import Candidate
from capability_router.policies.averages.budget_pacer import BudgetPacer
from capability_router.policies.averages.quality_price import QualityPrice
from capability_router.policies.averages.target_candidates import (
    STAYING,
    Strongest,
    TargetCandidates,
    points_of,
    usable,
)
from capability_router.policies.averages.target_controller import TargetController, UtilityWeights, told
from capability_router.policies.base import BELOW, EligibleModel, PolicyContext, PolicyScores, Terms, cost_text, rounded
from capability_router.policies.dual_solver import QUALITY, Point, QualityGoal, worth
from capability_router.policies.lazy_tuple import LazyTuple
from capability_router.policies.trade_off import TradeOff
from capability_router.request import Outcome

COST_WEIGHT = 0.25
LATENCY_WEIGHT = 0.01  # quality points per second
_OWN_WINDOW, _TENANTS = 200, 256  # requests of one tenant that its price is found on; tenants whose price is kept
_BELOW_FLOOR = -10.0  # behind every model that reaches the floor
_NO_MATTER = 250.0  # as `cost_weight`, where quality hardly matters
_TIE = 1e-4  # as `cost_weight` where cost does not matter: at equal quality the cheaper one wins


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
        pace: BudgetPacer | None = None,
    ) -> None:
        self._floor = min_quality
        self._wish = None if quality_target is None else QualityGoal(quality_target)
        self._wish = self._wish if quality_share is None else QualityGoal(0.0, quality_share)
        self._cost_weight, self._mu = cost_weight, latency_weight
        self._strongest = Strongest()
        self._all = QualityPrice(min_quality, self._strongest)
        self._own: OrderedDict[str, QualityPrice] = OrderedDict()  # by tenant, where scores are learned from
        self._first: str | None = None  # while no other has come
        self._lock: DeferringLock[Callable[[], object]] = DeferringLock(call)
        self.weighs_waits = latency_weight > 0.0
        steers = not (cost_target_usd is None and latency_target_s is None and pace is None)
        self._steering = TargetController(cost_target_usd, latency_target_s, pace, latency_weight) if steers else None
        self._weighed: tuple[Sequence[EligibleModel], tuple[TargetCandidates, UtilityWeights] | None] = ((), None)

    def observe(self, scene: PolicyContext, chosen: str = "") -> None:
        """Add a request that is really carried out; `explain` leaves the window unchanged."""
        mu = self._mu if self._steering is None else self._steered(self._steering, scene, chosen).mu
        self._lock.post(partial(self._taken, scene, self._wanted(scene), mu))

    def _taken(self, scene: PolicyContext, wish: QualityGoal | None, mu: float) -> None:
        """Runs with the lock held."""
        tenant, learned = scene.request.routing.tenant, scene.rows[0].believed is not None
        several = learned and self._several(tenant)
        self._all.taken(scene, wish, mu)
        if several:
            self._own_price(tenant).taken(scene, wish, mu)

    def _several(self, tenant: str) -> bool:
        """Whether more than one tenant sends requests. All that was seen before is the first one's."""
        if self._first in (None, tenant) and not self._own:
            self._first = tenant
            return False
        if self._first is not None:
            self._own[self._first], self._first = self._all.copy(), None
        return True

    def _own_price(self, tenant: str) -> QualityPrice:
        own = self._own.get(tenant)
        if own is None:
            own = self._own[tenant] = self._unseen()
            if len(self._own) > _TENANTS:
                self._own.popitem(last=False)
        self._own.move_to_end(tenant)
        return own

    def _tenant_price(self, scene: PolicyContext) -> QualityPrice:
        """Where several tenants score, none may set the price for the others, not even for who begins."""
        tenant = scene.request.routing.tenant
        if not scene.apart or (not self._own and self._first in (None, tenant)):
            return self._all
        return self._own.get(tenant) or self._unseen()

    def _unseen(self) -> QualityPrice:
        return QualityPrice(self._floor, self._strongest, _OWN_WINDOW)

    def settled(self, chosen: Candidate, outcome: Outcome) -> None:
        """Record the real cost and time of an observed request. Waits for no lock, because the garbage collector may
        end a request in the middle of another's.
        """
        if self._steering is not None:
            self._lock.post(partial(self._steering.settled, chosen, outcome))

    def _steered(self, steering: TargetController, scene: PolicyContext, chosen: str) -> UtilityWeights:
        """Show the targets a request; returns its weights as they were before it."""
        sight, weights = self._weighing(scene, steering)
        price = weights.price
        if price is None:
            price = self._priced(scene, self._wanted(scene), points_of(scene.rows, weights.mu), weights)
        asked = next((row for row in scene.rows if row.card.id == chosen), None) or self._pick(sight, weights, price)
        with self._lock:
            steering.observe(sight, weights, price, asked)
        return weights

    @staticmethod
    def _pick(sight: TargetCandidates, weights: UtilityWeights, price: float) -> EligibleModel:
        points, own = points_of(sight.rows, weights.mu), worth(price)
        return max(zip(points, sight.rows, strict=True), key=lambda pair: own(pair[0]))[1]

    def _sight(self, scene: PolicyContext) -> TargetCandidates:
        """The models that the targets choose from: no held ones and none below the floor, unless all are."""
        rows, floor = usable(scene.rows), self._floor
        if floor is not None:
            rows = [row for row in rows if row.quality >= floor] or rows
        reference = self._tenant_price(scene).strong_usd or self._strongest.usd(rows)
        one = 1.0 / reference if reference > 0.0 else 0.0
        return TargetCandidates(rows, self._cost_weight * one, _TIE * one, ruled=self._wanted(scene) is not None)

    def _price_of_quality(self, scene: PolicyContext, wish: QualityGoal | None, points: Sequence[Point]) -> float:
        """Lambda for this request, in quality points per USD."""
        price = self._tenant_price(scene)
        if wish is None:
            return price.usual(points, self._cost_weight)
        with self._lock:
            return price.for_target(scene, wish, points)

    def _priced(
        self, scene: PolicyContext, wish: QualityGoal | None, points: Sequence[Point], weights: UtilityWeights | None
    ) -> float:
        """Lambda, from whichever source sets it.

        With a latency target it stays finite: else both weights would rise for ever where quality is above its target
        and latency is not.
        """
        if weights is None:
            return self._price_of_quality(scene, wish, points)
        if weights.price is not None:
            return weights.price
        price = self._price_of_quality(scene, wish, points)
        return price if weights.wait is None else min(price, self._tenant_price(scene).usual(points, _NO_MATTER))

    def _weighing(self, scene: PolicyContext, steering: TargetController) -> tuple[TargetCandidates, UtilityWeights]:
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

    def _wanted(self, scene: PolicyContext) -> QualityGoal | None:
        own = scene.request.routing.quality_target
        return self._wish if own is None else QualityGoal(own)

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """The utilities; models below `min_quality` rank last unless none reaches it."""
        weights = None if self._steering is None else self._weighing(scene, self._steering)[1]
        points = points_of(scene.rows, self._mu if weights is None else weights.mu)
        wish, floor = self._wanted(scene), self._floor
        price = self._priced(scene, wish, points, weights)
        if floor is not None and not any(QUALITY(p) >= floor for p in points):
            floor = None
        below = 0.0 if floor is None else _below(points, price)
        terms = partial(_terms, points, scene.rows, price, floor, below)
        settings = LazyTuple(partial(self._settings, price, wish, weights))
        second = 0.0 if not self.weighs_waits else self._mu if weights is None else max(weights.mu, self._mu)
        return PolicyScores(_scores(points, price, floor, below), settings, second, terms)

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """The trade that was made: against the next best if scores were learned, else against the strongest."""
        sight, weights = (None, None) if self._steering is None else self._weighing(scene, self._steering)
        trade = self._learned(scene, best, weights) or self._traded(scene, best)
        targets = "" if weights is None or sight is None else told(weights, sight)
        return f"{trade}; {targets}" if targets else trade

    def _traded(self, scene: PolicyContext, best: EligibleModel) -> str:
        strong = self._strongest.of(scene.rows)
        own = f"quality {best.quality:.2f} at {cost_text(best)}"
        if strong.card.id == best.card.id:
            return f"strongest, and worth it: {own}"
        return f"{own}; {strong.card.id} has {strong.quality:.2f} at {cost_text(strong)}"

    def _learned(self, scene: PolicyContext, best: EligibleModel, weights: UtilityWeights | None) -> str:
        """What decided, in numbers, if requests were scored; and which model it would have been without the scores."""
        if best.believed is None:  # nothing was learned of any model
            return ""
        mu = self._mu if weights is None else weights.mu
        points = points_of(scene.rows, mu)
        price = self._priced(scene, self._wanted(scene), points, weights)
        has_latency_target = weights is not None and weights.wait is not None
        return TradeOff(scene.rows, points, best, price, mu, self._floor, has_latency_target).told()

    def _settings(self, price: float, wish: QualityGoal | None, weights: UtilityWeights | None) -> Terms:
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
    points: Sequence[Point], rows: Sequence[EligibleModel], price: float, floor: float | None, below: float, at: int
) -> Terms:
    """The summands of the score at this index."""
    (usd, utility, quality), stays = points[at], rows[at].stays
    terms: Terms = (("quality", quality), ("cost", -price * usd), ("latency", utility - quality))
    if stays:
        terms = (*terms[:2], ("latency", utility - quality - STAYING), ("staying", STAYING))
    return (*terms, (BELOW, below)) if floor is not None and quality < floor else terms
