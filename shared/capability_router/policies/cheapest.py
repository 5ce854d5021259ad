"""cheapest: the lowest predicted cost; an unknown price never wins."""

from __future__ import annotations

from capability_router.policies.base import Judgement, Prospect, Scene, Static, told_cost

_UNKNOWN_USD = 1_000.0  # an unknown price ranks behind any that is known


class Cheapest(Static):
    """Least predicted cost for this request's size first; unknown prices last."""

    name = "cheapest"

    def judge(self, scene: Scene) -> Judgement:
        """Minus the cost in USD."""
        scores = [-_UNKNOWN_USD if row.cost_pico is None else -(row.cost_pico / 1e12) for row in scene.rows]
        return Judgement(scores, terms=lambda at: (("cost", scores[at]),))

    def reason(self, scene: Scene, best: Prospect) -> str:
        """The price it won with."""
        return f"cheapest at {told_cost(best)} of {len(scene.rows)}"
