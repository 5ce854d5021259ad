"""single: no scoring; the models in the order in which they were given."""

from __future__ import annotations

from capability_router.policies.base import EligibleModel, PolicyContext, PolicyScores, StatelessPolicy


class Single(StatelessPolicy):
    """The first eligible model; the rest, in order, are its fallbacks."""

    name = "single"
    ordered = True

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """Falling numbers."""
        return PolicyScores([-float(i) for i in range(len(scene.rows))])

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """The order, and the models that were passed over."""
        first = next(iter(scene.rows)).card.id
        return "first in order" if best.card.id == first else f"first in order that is usable ({first} is held)"
