"""How long answers really are, compared with the prediction for the request.

The prediction knows only the task. The common factor of all models in this traffic is learned per task. A model's
deviation from it (terse, or with billed reasoning tokens that are never shown) is learned per model, shrunk towards the
others while there are few answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from capability_router.concurrency.deferring_lock import DeferringLock

PRIOR_WEIGHT = 3.0  # the common factor counts as this many of a model's answers
FADE = 0.98  # per answer
_MOST = 50.0  # a single answer moves the factor by at most this much either way
_LOG_MOST = math.log(_MOST)
_TASKS_KEPT = 1_000


@dataclass(slots=True)
class LengthFactors:
    """Actual over predicted output tokens on one task: by model, and for a model not yet seen."""

    by_model: dict[str, float]
    common: float = 1.0


_UNSEEN = LengthFactors({})


class OutputLengths:
    """Factors by task, learned from the answers' own usage. Thread-safe."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, tuple[float, float]]] = {}  # task -> model -> sum of logarithms, weight
        self._factors: dict[str, LengthFactors] = {}
        self._lock: DeferringLock[tuple[str, str, float]] = DeferringLock(self._learned)

    def on(self, task: str) -> LengthFactors:
        """The factors of a task; 1.0 for all until there are answers. Read only."""
        return self._factors.get(task, _UNSEEN)

    def learn(self, model: str, task: str, predicted: int, actual: int) -> None:
        """An answer of this model took `actual` tokens, and `predicted` had been expected."""
        if predicted <= 0 or actual <= 0 or (task not in self._sums and len(self._sums) >= _TASKS_KEPT):
            return
        ratio = actual / predicted
        step = _LOG_MOST if ratio > _MOST else -_LOG_MOST if ratio < 1 / _MOST else math.log(ratio)
        self._lock.post((task, model, step))

    def _learned(self, seen: tuple[str, str, float]) -> None:
        task, model, step = seen
        sums = self._sums.setdefault(task, {})
        total, weight = sums.get(model, (0.0, 0.0))
        sums[model] = (FADE * total + step, FADE * weight + 1.0)
        self._factors[task] = _factors(sums)


def _factors(sums: dict[str, tuple[float, float]]) -> LengthFactors:
    weight, total = PRIOR_WEIGHT, 0.0
    for logs, seen in sums.values():
        weight += seen
        total += logs
    common, exp = total / weight, math.exp
    own = {m: exp((logs + PRIOR_WEIGHT * common) / (seen + PRIOR_WEIGHT)) for m, (logs, seen) in sums.items()}
    return LengthFactors(own, exp(common))
