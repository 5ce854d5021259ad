"""weighted: a fixed sum of quality, cost, latency and queue, each scaled to 0..1 among the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capability_router.policies.base import (
    EligibleModel,
    PolicyContext,
    PolicyScores,
    StatelessPolicy,
    Terms,
    cost_text,
)

DEFAULT_WEIGHTS = {"quality": 0.5, "cost": 0.3, "latency": 0.2, "queue": 0.0}


class Weighted(StatelessPolicy):
    """Score = w_quality * quality - w_cost * cost - w_latency * latency - w_queue * queue."""

    name = "weighted"

    def __init__(self, weights: Mapping[str, float] = DEFAULT_WEIGHTS) -> None:
        self._weights = tuple((name, float(weights.get(name, 0.0))) for name in DEFAULT_WEIGHTS)

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """The weighted sum; an unknown cost or latency counts as the worst among the candidates."""
        rows, (for_quality, for_cost, for_latency, for_queue) = scene.rows, [weight for _, weight in self._weights]
        costs = _scaled([row.cost_pico for row in rows])
        times = _scaled([row.latency_s for row in rows])
        queues = _scaled([row.queue_s for row in rows])
        scores = [
            for_quality * row.quality - for_cost * cost - for_latency * time - for_queue * queue
            for row, cost, time, queue in zip(rows, costs, times, queues, strict=True)
        ]

        def terms(at: int) -> Terms:
            quality, paid = for_quality * rows[at].quality, -for_cost * costs[at]
            waited, queued = -for_latency * times[at], -for_queue * queues[at]
            return ("quality", quality), ("cost", paid), ("latency", waited), ("queue", queued)

        return PolicyScores(scores, self._weights, terms=terms)

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """What the best row offers."""
        return f"best weighted sum of {len(scene.rows)}: quality {best.quality:.2f} at {cost_text(best)}"


def _scaled(values: Sequence[float | None]) -> list[float]:
    most = max([v for v in values if v is not None], default=0.0) or 1.0
    return [1.0 if v is None else v / most for v in values]
