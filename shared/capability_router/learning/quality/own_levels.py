"""Each tenant's own level of each model: the mean of its scores minus what was predicted of its requests.

Where several tenants score, one of them is told the level that all share only as far as it has few scores of its own.
So others' wrong scores move a tenant the less, the more it has scored itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from capability_router.learning.quality.sketch import Matrix

SHARED_COUNTS = 20.0  # scores; the shared level counts as this many of the tenant's own
KEPT_CHANGED = 40.0  # scores of its own that count on, after scores of all show that a model has changed
_FADE = 0.995  # per score of the model by the tenant
_TENANTS = 1_000

Sums = tuple[float, float]
"""Of scores: the faded sum and count."""


class OwnLevels:
    """Of the 1,000 tenants that scored last, by hash. Its owner lets one thread at a time change it."""

    def __init__(self, known: Iterable[tuple[str, Mapping[str, Sums]]] = ()) -> None:
        self.known = OrderedDict((whose, dict(levels)) for whose, levels in known)

    def learn(self, whose: str, model: str, beyond: float) -> None:
        """A tenant's score minus what was predicted of its request. "" = nobody's: not kept."""
        if whose:
            levels = self._of(whose)
            total, count = levels.get(model, (0.0, 0.0))
            levels[model] = (_FADE * total + beyond, _FADE * count + 1.0)

    def level(self, whose: str, model: str, shared: float) -> float:
        """The model's level to this tenant; the shared one if no other tenant has scored, or it has not."""
        if len(self.known) < 2:
            return shared
        total, count = self.known.get(whose, {}).get(model, (0.0, 0.0))
        return (SHARED_COUNTS * shared + total) / (SHARED_COUNTS + count)

    def doubt(self, model: str, keep: float) -> None:
        """It may be another model now: each tenant's earlier scores count as this many at most."""
        for levels in self.known.values():
            if model in levels:
                total, count = levels[model]
                kept = min(1.0, keep / max(count, 1e-9))
                levels[model] = (total * kept, count * kept)

    def settle(self, whose: Sequence[str], models: Sequence[str], beyond: Matrix) -> None:
        """Set from a new fit: the tenants of the rows, in the order in which they came, and the scores beyond what it
        predicts (rows, models), NaN = none.
        """
        found: dict[tuple[str, str], Sums] = {}
        for row, column in np.argwhere(~np.isnan(beyond)).tolist():
            total, count = found.get(key := (whose[row], models[column]), (0.0, 0.0))
            found[key] = (_FADE * total + float(beyond[row, column]), _FADE * count + 1.0)
        for (tenant, model), sums in found.items():
            if tenant:
                self._of(tenant)[model] = sums

    def _of(self, whose: str) -> dict[str, Sums]:
        levels = self.known.setdefault(whose, {})
        self.known.move_to_end(whose)
        if len(self.known) > _TENANTS:
            self.known.popitem(last=False)
        return levels
