"""fastest: the lowest predicted time to the end of the answer, queue included."""

from __future__ import annotations

from capability_router.policies.base import EligibleModel, PolicyContext, PolicyScores, StatelessPolicy

_UNKNOWN_S = 30.0  # a model without any measurement ranks behind those of usual speed


class Fastest(StatelessPolicy):
    """Least predicted latency first."""

    name = "fastest"
    weighs_waits = True

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """Minus the predicted seconds."""
        scores = [-((_UNKNOWN_S if row.latency_s is None else row.latency_s) + row.queue_s) for row in scene.rows]
        return PolicyScores(scores, second=1.0, terms=lambda at: (("latency", scores[at]),))

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """The time it won with."""
        told = "unknown latency" if best.latency_s is None else f"{best.latency_s + best.queue_s:.2f} s"
        return f"fastest at {told} of {len(scene.rows)}"
