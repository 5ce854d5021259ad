"""cheapest: the lowest predicted cost; an unknown price never wins."""

from __future__ import annotations

from capability_router.policies.base import EligibleModel, PolicyContext, PolicyScores, StatelessPolicy, cost_text

_UNKNOWN_USD = 1_000.0  # an unknown price ranks behind any that is known


class Cheapest(StatelessPolicy):
    """Least predicted cost for this request's size first; unknown prices last."""

    name = "cheapest"

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """Minus the cost in USD."""
        scores = [-_UNKNOWN_USD if row.cost_pico is None else -(row.cost_pico / 1e12) for row in scene.rows]
        return PolicyScores(scores, terms=lambda at: (("cost", scores[at]),))

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """The price it won with."""
        return f"cheapest at {cost_text(best)} of {len(scene.rows)}"
