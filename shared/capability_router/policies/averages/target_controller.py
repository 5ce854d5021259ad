"""Sets the weights of cost and time in `adaptive` if the average of either is to be kept.

The weight of time is solved first, with the last price of quality; then the price of quality with that weight. Each
target's window holds requests as the other weight valued them at the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from capability_router.plan import Candidate
from capability_router.policies.averages.average_target import AverageTarget, DualPrice
from capability_router.policies.averages.budget_pacer import Allowance, BudgetPacer
from capability_router.policies.averages.target_candidates import TargetCandidates
from capability_router.policies.base import EligibleModel, Terms, rounded
from capability_router.policies.dual_solver import Point
from capability_router.request import Outcome

_TIE_S = 1e-4  # quality points per second if time does not matter: at equal quality the faster model wins


@dataclass(slots=True)
class UtilityWeights:
    """`mu` in quality points per second, `price` per USD; None = a quality target, or the usual price, decides.

    `paced`: the window of the cap that sets the target. `slack`: the usual price is already higher.
    """

    mu: float
    price: float | None
    wait: DualPrice | None
    cost: DualPrice | None
    paced: str = ""
    slack: bool = False


class TargetController:
    """The targets of one policy. Its callers hold the policy's lock."""

    def __init__(self, usd: float | None, seconds: float | None, pace: BudgetPacer | None, mu: float) -> None:
        self._usd, self._seconds, self._pace, self._mu = usd, seconds, pace, mu
        self._own = None if usd is None else Allowance(usd, "")
        self._cost, self._wait = AverageTarget(), AverageTarget()
        self._price: float | None = None

    def weights(self, sight: TargetCandidates) -> UtilityWeights:
        """The weights for this request. Changes nothing."""
        wait, mu = None, self._mu
        if self._seconds is not None and any(row.latency_s is not None for row in sight.rows):
            wait = self._wait.price(self._seconds, lambda: self._waits(sight), lambda: sight.seconds)
            mu = max(wait.value, _TIE_S)
        allowed = None if sight.ruled else self._allowed()
        if allowed is None or all(row.cost_pico is None for row in sight.rows):
            return UtilityWeights(mu, None, wait, None)
        cost = self._cost.price(allowed.usd, lambda: _costs(sight, mu), lambda: sight.usd)
        least = sight.usual if self._usd is None else sight.tie  # a cap does not ask for more spending
        slack = cost.value < least
        return UtilityWeights(mu, max(cost.value, least), wait, cost, allowed.window, slack)

    def observe(self, sight: TargetCandidates, weights: UtilityWeights, price: float, chosen: EligibleModel) -> None:
        """Add a request that is carried out with the chosen model; `price`: that of quality, whatever set it."""
        if self._seconds is not None:
            took = None if chosen.latency_s is None else chosen.latency_s + chosen.queue_s
            self._wait.took(self._seconds, self._waits(sight) if weights.wait else (), took)
        self._price = price
        allowed = self._allowed()
        if allowed is None:
            return
        usd = None if chosen.cost_pico is None else chosen.cost_pico / 1e12
        if weights.cost is not None:
            points = _costs(sight, weights.mu)
        else:  # a request's own quality target decides
            points = [] if usd is None else [(usd, chosen.quality, usd)]
        self._cost.took(allowed.usd, points, usd, slack=weights.slack)

    def settled(self, chosen: Candidate, outcome: Outcome) -> None:
        """Record the real cost and time of a request, fallbacks included."""
        if self._seconds is not None:
            expected = None if chosen.latency_s is None else chosen.latency_s + chosen.queue_s
            self._wait.settled(expected, outcome.elapsed_s, telling=outcome.ok)
        if outcome.cost_pico is not None and (self._usd is not None or self._pace is not None):
            self._cost.settled(chosen.cost_usd, outcome.cost_pico / 1e12, telling=outcome.ok)

    def settings(self, weights: UtilityWeights) -> Terms:
        """The targets and their state, for the plan."""
        return (*_standing("cost_target_usd", weights.cost), *_standing("latency_target_s", weights.wait))

    def _allowed(self) -> Allowance | None:
        """The lower of the target and the caps' allowance; "" = the target's."""
        paced, own = None if self._pace is None else self._pace.allowance(), self._own
        return paced if own is None or (paced is not None and paced.usd < own.usd) else own

    def _waits(self, sight: TargetCandidates) -> list[Point]:
        free = not sight.ruled and self._usd is None and self._pace is None
        price = sight.usual if free or self._price is None else self._price
        seen = zip(sight.worth, sight.usd, sight.seconds, strict=True)
        return [(s, worth - price * usd, s) for worth, usd, s in seen]


def _standing(name: str, price: DualPrice | None) -> Terms:
    """A target, the least that picks can come to, and their recent average."""
    if price is None:
        return ()
    found = ((name, rounded(price.wanted, 9)), (f"{name}_least", rounded(price.least, 9)))
    return found if price.now is None else (*found, (f"{name}_now", rounded(price.now, 9)))


def told(weights: UtilityWeights, sight: TargetCandidates) -> str:
    """The targets in numbers, for a plan's reason."""
    parts = []
    if (cost := weights.cost) is not None and not (weights.paced and weights.slack):
        parts.append(_cost_told(weights, cost))
    if (wait := weights.wait) is not None:
        now = "" if wait.now is None else f": now {wait.now:.3g} s"
        if wait.met:
            parts.append(
                f"a second counts {weights.mu:.2g} quality points, to keep {wait.wanted:.3g} s per request{now}"
            )
        else:
            parts.append(_missed(wait, [row.card.id for row in sight.rows if row.latency_s is None]))
    return "; ".join(parts)


def _missed(wait: DualPrice, unknown: Sequence[str]) -> str:
    """A latency target that no choice keeps, as far as the models' latencies are known."""
    least = f"{wait.wanted:.3g} s per request: {wait.least:.3g} s at best"
    if not unknown:
        return f"the fastest, as no choice keeps {least}"
    one = len(unknown) == 1
    return (
        f"the fastest known, as no known choice keeps {least}; the {'latency' if one else 'latencies'} of "
        f"{', '.join(unknown)} {'is' if one else 'are'} unknown and {'counts' if one else 'count'} as the slowest: "
        f"state `latency` on the {'card' if one else 'cards'}, or let `exploration` measure it"
    )


def _cost_told(weights: UtilityWeights, cost: DualPrice) -> str:
    wanted = _wanted(cost.wanted, weights.paced)
    if not cost.met:
        return f"the cheapest, as no choice keeps {wanted}: ${_figures(cost.least)} at best"
    now = "" if cost.now is None else f": now ${_figures(cost.now)}"
    if weights.slack:
        return f"the best are within {wanted}{now}"
    worth = f"a quality point may cost ${_figures(1.0 / weights.price)}" if weights.price else "quality costs nothing"
    return f"{worth}, to keep {wanted}{now}"


@lru_cache(maxsize=64)  # a configured target applies to every request
def _wanted(usd: float, paced: str) -> str:
    lasts = f", so that the cap lasts its {paced}" if paced else ""
    return f"${_figures(usd)} per request{lasts}"


def _figures(usd: float) -> str:
    """Three digits, without an exponent."""
    if 1e-4 <= usd < 99.9:  # as nearly all are: the format needs no e there
        return f"{usd:#.3g}"
    places = 2 if usd <= 0.0 else max(2 - math.floor(math.log10(usd)), 0)
    return f"{usd:,.{places}f}"


def _costs(sight: TargetCandidates, mu: float) -> list[Point]:
    seen = zip(sight.worth, sight.usd, sight.seconds, strict=True)
    return [(usd, worth - mu * s, usd) for worth, usd, s in seen]
